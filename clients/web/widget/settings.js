// What the data-… attributes of the script say.

/** `given`: its dataset, and `base`, the URL of the folder it came from. */
export function readSettings(given) {
  return {
    base: given.base,
    api: new URL(given.api ?? '/api', given.base).href.replace(/\/$/, ''),
    language: given.lang ?? (document.documentElement.lang || navigator.language),
    theme: choice(given.theme, ['auto', 'light', 'dark']),
    side: choice(given.position, ['right', 'left']),
    accent: given.color,
    onAccent: given.colorText,
    texts: own({ widgetTitle: given.title, greeting: given.greeting, team: given.team }),
    open: 'open' in given,
    register: given.register !== 'off',
    getToken: tokenSource(given),
    storage: given.storage ?? 'cs-chat-widget',
  };
}

function choice(value, known) {
  return known.includes(value) ? value : known[0];
}

function own(texts) {
  return Object.fromEntries(Object.entries(texts).filter(([, text]) => text !== undefined));
}

// data-token is the token; data-token-function names a function of the page,
// dots allowed, that returns one or a promise of one.
function tokenSource({ token, tokenFunction }) {
  if (tokenFunction) {
    return (why) => {
      const path = tokenFunction.split('.');
      const owner = path.slice(0, -1).reduce((object, name) => object?.[name], window);

      return owner[path.at(-1)](why);
    };
  }
  return token ? () => token : undefined;
}
