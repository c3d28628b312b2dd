"use strict";

/** An element with text: everything that comes from files goes through textContent, as text. */
function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  made.append(...children.filter((child) => child !== null && child !== undefined));
  return made;
}

(function theme() {
  const choices = ["", "light", "dark"];
  const names = { "": "as the system", light: "light", dark: "dark" };
  const button = document.getElementById("theme");
  let now = "";
  try {
    now = localStorage.getItem("blades-theme") || "";
  } catch {
    // A browser may keep nothing for files from a disk.
  }
  function show() {
    document.documentElement.dataset.theme = now;
    button.textContent = `Theme: ${names[now]}`;
  }
  button.addEventListener("click", () => {
    now = choices[(choices.indexOf(now) + 1) % choices.length];
    try {
      localStorage.setItem("blades-theme", now);
    } catch {
      // Then for as long as the page is open.
    }
    show();
  });
  button.hidden = false;
  show();
})();
