// How a person is shown: initials on a colour of their own. Pictures would be
// requests to strangers.

import { h } from './dom.js';

/** The first letters of the first and the last word of a name. */
export function initials(name) {
  const words = name.trim().split(/\s+/u);
  const letters = words.length > 1 ? [words[0], words.at(-1)] : [words[0]];

  return letters.map((word) => [...word][0] ?? '').join('').toUpperCase();
}

/** One of 12 colours, the same for the same id everywhere. */
function colour(id) {
  let sum = 0;

  for (const char of id) {
    sum = (sum * 31 + char.charCodeAt(0)) >>> 0;
  }
  return sum % 12;
}

/** The round sign of a person; `online` undefined: it says nothing of that. */
export function avatar(person, online) {
  return h('span', { class: 'avatar', 'aria-hidden': 'true', data: { colour: colour(person.id), ...presence(online) } }, initials(person.name));
}

function presence(online) {
  return online === undefined ? {} : { online: online ? 'yes' : 'no' };
}
