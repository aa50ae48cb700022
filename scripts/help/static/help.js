// The theme that the console has, before the first paint; a choice made here is kept for both.
(() => {
  const KEY = "netboot-theme";
  const body = document.body;
  const chosen = localStorage.getItem(KEY) || "auto";
  localStorage.setItem("theme", chosen); // where furo.js reads it
  body.dataset.theme = chosen;
  new MutationObserver(() => {
    if (body.dataset.theme === "auto") localStorage.removeItem(KEY);
    else localStorage.setItem(KEY, body.dataset.theme);
  }).observe(body, { attributes: true, attributeFilter: ["data-theme"] });
})();
