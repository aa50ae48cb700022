// Sets the theme before the first paint: what was chosen, else what the system prefers.
(() => {
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const chosen = localStorage.getItem("netboot-theme");
    const theme = chosen || (dark.matches ? "dark" : "light");
    document.documentElement.setAttribute("data-bs-theme", theme);
  };
  dark.addEventListener("change", apply);
  window.addEventListener("storage", apply);
  apply();
})();
