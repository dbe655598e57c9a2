// Sets the colours that were chosen before anything is painted. Takes what is stored; sets `data-theme` on the document.
// A classic script on purpose: a module would run after the first paint.
(() => {
  let theme = null;
  try {
    theme = localStorage.getItem('theme');
  } catch {
    // Storage is switched off: the system's colours.
  }
  if (theme === 'light' || theme === 'dark') document.documentElement.dataset.theme = theme;
})();
