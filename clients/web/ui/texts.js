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
  const language = translated === english && short !== 'en' ? 'en' : tag;

  return {
    // "en" of a page says nothing of its reader's way to write a time
    language: navigator.languages.find((one) => one.toLowerCase().startsWith(`${language.toLowerCase()}-`)) ?? language,
    direction: translated.direction,
    texts: { ...english.texts, ...translated.texts, ...own },
  };
}
