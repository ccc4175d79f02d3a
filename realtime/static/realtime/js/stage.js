// @ts-check
/** What the viewer sets the page to: full screen, and on a narrow screen the part that is shown. */
import { part } from "./parts.js";

const root = document.documentElement;
const fullScreen = part("full-screen");

/** A projector's machine should not fall asleep; where the browser can't promise that, it is no harm. */
export async function keepAwake() {
  if (!document.fullscreenElement || !("wakeLock" in navigator)) return;
  await navigator.wakeLock.request("screen").catch(() => undefined);
}

export function toggleFullScreen() {
  return document.fullscreenElement ? document.exitFullscreen() : root.requestFullscreen().catch(() => undefined);
}

/** @param {string} view board, race, news or me */
export function showView(view) {
  root.dataset.view = view;
  for (const button of document.querySelectorAll("[data-view-of]")) {
    if (/** @type {HTMLElement} */ (button).dataset.viewOf === view) button.setAttribute("aria-current", "true");
    else button.removeAttribute("aria-current");
  }
}

export function setTheStage() {
  fullScreen.hidden = !document.fullscreenEnabled;
  fullScreen.addEventListener("click", toggleFullScreen);
  document.addEventListener("fullscreenchange", () => {
    fullScreen.ariaPressed = String(document.fullscreenElement !== null);
    keepAwake();
  });
  for (const button of document.querySelectorAll("[data-view-of]")) {
    button.addEventListener("click", () => showView(/** @type {HTMLElement} */ (button).dataset.viewOf ?? "board"));
  }
}
