// Runs before the first paint, so that neither the banner nor the panel moves anything afterwards.
(() => {
  const root = document.documentElement;
  const stored = (area, key) => {
    try {
      return window[area].getItem(key);
    } catch {
      return null;
    }
  };
  root.classList.add("js");
  root.dataset.asked = stored("localStorage", "havainto.consent") ? "no" : "yes";
  const wide = matchMedia("(min-width: 1200px)").matches;
  root.dataset.panel = stored("sessionStorage", "havainto.panel") || (wide ? "open" : "closed");
})();
