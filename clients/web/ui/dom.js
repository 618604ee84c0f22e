// Building elements. Whatever comes from a person goes in as text, never as HTML.

/**
 * An element: `h('button', { class: 'send', onclick, ariaLabel: 'Send' }, 'Send')`.
 * Properties are set as properties where the element has them, else as
 * attributes; null, undefined and false children are left out.
 */
export function h(tag, properties, ...children) {
  const element = document.createElement(tag);

  for (const [name, value] of Object.entries(properties ?? {})) {
    if (value === undefined || value === null) {
      continue;
    }
    if (name === 'class') {
      element.className = value;
    } else if (name === 'data') {
      Object.assign(element.dataset, value);
    } else if (name in element) {
      element[name] = value;
    } else {
      element.setAttribute(name, value);
    }
  }
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

const SVG = 'http://www.w3.org/2000/svg';

const paths = {
  archive: 'M4 8v11a1 1 0 0 0 1 1h14a1 1 0 0 0 1-1V8M3 4h18v4H3zM10 12h4',
  back: 'M15 5l-7 7 7 7',
  bell: 'M6 16V11a6 6 0 0 1 12 0v5l2 2H4zM10 21h4',
  chat: 'M21 12a8 8 0 0 1-8 8H4l2-3.2A8 8 0 1 1 21 12z',
  check: 'M5 13l4 4L19 7',
  close: 'M6 6l12 12M18 6L6 18',
  down: 'M6 10l6 6 6-6',
  info: 'M12 11v6M12 7.5v.01M21 12a9 9 0 1 1-18 0 9 9 0 0 1 18 0z',
  more: 'M12 6v.01M12 12v.01M12 18v.01',
  out: 'M15 4h4a1 1 0 0 1 1 1v14a1 1 0 0 1-1 1h-4M10 8l-4 4 4 4M6 12h9',
  plus: 'M12 5v14M5 12h14',
  search: 'M10.5 17a6.5 6.5 0 1 0 0-13 6.5 6.5 0 0 0 0 13zM20 20l-4.8-4.8',
  send: 'M4 12l16-8-6 16-3-7z',
  trash: 'M5 7h14M10 7V4h4v3M7 7l1 13h8l1-13',
  user: 'M12 12a4 4 0 1 0 0-8 4 4 0 0 0 0 8zM4 21a8 8 0 0 1 16 0',
};

/** A drawing of 24 by 24 in the colour of the text; it says nothing to a screen reader. */
export function icon(name) {
  const svg = document.createElementNS(SVG, 'svg');
  const path = document.createElementNS(SVG, 'path');

  path.setAttribute('d', paths[name]);
  svg.setAttribute('viewBox', '0 0 24 24');
  svg.setAttribute('class', `icon icon-${name}`);
  svg.setAttribute('aria-hidden', 'true');
  svg.append(path);
  return svg;
}

/** A button that shows a drawing and is called by its label. */
export function iconButton(name, label, properties) {
  return h('button', { type: 'button', class: 'icon-button', title: label, ariaLabel: label, ...properties }, icon(name));
}

/** A style sheet beside the module that asks for it; resolves when it is in force. */
export function styleSheet(url) {
  const link = h('link', { rel: 'stylesheet', href: url });

  return {
    link,
    loaded: new Promise((resolve) => {
      link.onload = resolve;
      link.onerror = resolve;
    }),
  };
}
