// The one line that a page needs:
//
//   <script src="/chat/widget.js" data-api="/api" async></script>
//
// docs/embedding.md lists the data-… attributes.

(() => {
  const script = document.currentScript;
  const base = new URL('.', script.src);

  // All that will be wanted is asked for at once: without this each module is
  // found only when the one that imports it has come.
  const modules = {
    client: 'auth backoff connection conversation cs-chat emitter error numbers outbox request',
    texts: 'en',
    ui: 'activity banner composer conversation dom links message-list people session sign-in texts time',
    widget: 'chat-list new-conversation panel settings widget',
  };

  for (const [folder, names] of Object.entries(modules)) {
    for (const name of names.split(' ')) {
      const link = document.createElement('link');

      link.rel = 'modulepreload';
      link.href = new URL(`${folder}/${name}.js`, base);
      document.head.append(link);
    }
  }

  const ready = import(new URL('widget/widget.js', base))
    .then(({ Widget }) => Widget.mount({ base, ...script.dataset }));
  const call = (name) => () => ready.then((widget) => widget[name]());

  window.CSChatWidget = { ready, open: call('open'), close: call('close'), toggle: call('toggle'), signOut: call('signOut') };
  ready.catch((error) => console.error('The chat can’t be shown:', error));
})();
