// A list box of any length, of which only what is in sight is in the document.
// The arrow keys go through all of it.

import { h } from '../ui/dom.js';

const SPARE = 6; // rows above and below what is in sight

export class VirtualList {
  /** `height`: of every row, in pixels. `render(item)` makes a row; `onPick(item)` when one is chosen. */
  constructor({ label, height, render, onPick }) {
    this.height = height;
    this.render = render;
    this.onPick = onPick;
    this.items = [];
    this.active = 0;
    this.inner = h('div', { class: 'virtual-inner', role: 'presentation' });
    this.element = h(
      'div',
      {
        class: 'virtual-list',
        role: 'listbox',
        tabIndex: 0,
        ariaLabel: label,
        onscroll: () => this.draw(),
        onkeydown: (event) => this.key(event),
        onclick: (event) => this.pick(this.at(event.clientY)),
      },
      this.inner,
    );
    this.resizes = new ResizeObserver(() => this.draw());
    this.resizes.observe(this.element);
  }

  destroy() {
    this.resizes.disconnect();
  }

  /** New items; the one that was active stays so where it still is. */
  show(items) {
    const active = this.items[this.active];
    const place = items.indexOf(active);

    this.items = items;
    this.active = place >= 0 ? place : Math.min(this.active, Math.max(0, items.length - 1));
    this.inner.style.height = `${items.length * this.height}px`;
    this.draw();
  }

  select(item) {
    this.selected = item;
    if (item && this.items.includes(item)) {
      this.active = this.items.indexOf(item);
    }
    this.draw();
  }

  draw() {
    const { scrollTop, clientHeight } = this.element;
    const first = Math.max(0, Math.floor(scrollTop / this.height) - SPARE);
    const last = Math.min(this.items.length, Math.ceil((scrollTop + clientHeight) / this.height) + SPARE);
    const rows = [];

    for (let n = first; n < last; n++) {
      rows.push(this.row(this.items[n], n));
    }
    this.inner.replaceChildren(...rows);
    this.pointAtActive(first, last);
  }

  // A list box may only point at what is in the document.
  pointAtActive(first, last) {
    if (this.active >= first && this.active < last && this.items.length > 0) {
      this.element.setAttribute('aria-activedescendant', `row-${this.active}`);
    } else {
      this.element.removeAttribute('aria-activedescendant');
    }
  }

  row(item, n) {
    const row = h(
      'div',
      {
        id: `row-${n}`,
        class: `virtual-row${n === this.active ? ' active' : ''}`,
        role: 'option',
        'aria-selected': String(item === this.selected),
        'aria-setsize': String(this.items.length),
        'aria-posinset': String(n + 1),
      },
      this.render(item),
    );

    row.style.top = `${n * this.height}px`;
    return row;
  }

  key(event) {
    const page = Math.max(1, Math.floor(this.element.clientHeight / this.height) - 1);
    const steps = { ArrowDown: 1, ArrowUp: -1, PageDown: page, PageUp: -page, Home: -Infinity, End: Infinity };

    if (event.altKey || event.ctrlKey || event.metaKey) {
      return;
    }
    if (event.key in steps) {
      event.preventDefault();
      this.move(steps[event.key]);
    } else if (event.key === 'Enter' || event.key === ' ') {
      event.preventDefault();
      this.pick(this.active);
    }
  }

  move(step) {
    const top = () => this.active * this.height;
    const { element } = this;

    this.active = Math.min(Math.max(0, this.active + step), Math.max(0, this.items.length - 1));
    if (top() < element.scrollTop) {
      element.scrollTop = top();
    } else if (top() + this.height > element.scrollTop + element.clientHeight) {
      element.scrollTop = top() + this.height - element.clientHeight;
    }
    this.draw();
  }

  // By the place: the row may have been drawn anew since the button went down.
  at(y) {
    return Math.floor((y - this.inner.getBoundingClientRect().top) / this.height);
  }

  pick(n) {
    const item = this.items[n];

    if (item) {
      this.active = n;
      this.onPick(item);
    }
  }
}
