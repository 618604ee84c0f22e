// The one line that a page needs:
//
//   <script src="/chat/widget.js" data-api="/api" async></script>
//
// docs/embedding.md lists the data-… attributes.

(() => {
  const script = document.currentScript;
  const base = new URL('.', script.src);
  const ready = import(new URL('widget/widget.js', base))
    .then(({ Widget }) => Widget.mount({ base, ...script.dataset }));
  const call = (name) => () => ready.then((widget) => widget[name]());

  window.CSChatWidget = { ready, open: call('open'), close: call('close'), toggle: call('toggle'), signOut: call('signOut') };
  ready.catch((error) => console.error('The chat can’t be shown:', error));
})();
