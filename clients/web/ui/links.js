// Text in which web addresses can be followed. Nothing else is recognised.

import { h } from './dom.js';

const ADDRESS = /\bhttps?:\/\/[^\s<>"]+/giu;

// What ends a sentence does not belong to the address before it, nor does a
// bracket that was opened before the address.
function trimmed(address) {
  let end = address.length;

  for (;;) {
    const last = address[end - 1];

    if ('.,;:!?\'*_~'.includes(last)) {
      end--;
    } else if (last === ')' && !address.slice(0, end).includes('(')) {
      end--;
    } else {
      return address.slice(0, end);
    }
  }
}

function valid(address) {
  try {
    return new URL(address).host !== '';
  } catch {
    return false;
  }
}

/** Nodes for a text. */
export function linked(text) {
  const nodes = [];
  let from = 0;

  for (const match of text.matchAll(ADDRESS)) {
    const address = trimmed(match[0]);

    if (!valid(address)) {
      continue;
    }
    nodes.push(text.slice(from, match.index));
    nodes.push(h('a', { href: address, target: '_blank', rel: 'noopener noreferrer nofollow ugc' }, address));
    from = match.index + address.length;
  }
  nodes.push(text.slice(from));
  return nodes.filter((node) => node !== '');
}
