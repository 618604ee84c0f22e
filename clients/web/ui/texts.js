// The sentences in the language that is asked for.

import * as english from '../texts/en.js';

const translations = ['ar', 'de'];

/**
 * Resolves to `{ language, direction, texts }` for a BCP 47 tag; English where
 * there is no translation. `own` replaces single sentences.
 */
export async function loadTexts(tag, own = {}) {
  const short = tag.toLowerCase().split('-')[0];
  const translated = translations.includes(short) ? await import(`../texts/${short}.js`) : english;

  return {
    language: translated === english && short !== 'en' ? 'en' : tag,
    direction: translated.direction,
    texts: { ...english.texts, ...translated.texts, ...own },
  };
}
