// @ts-check
/** Single keys, listed in the dialog that `?` opens. Who speaks to the machine or has unsteady hands can switch them off there. */
import { part } from "./parts.js";

const OFF = "leaderboard.keys.off";

/** @param {Record<string, () => void>} actions by key */
export function listenForKeys(actions) {
  const dialog = /** @type {HTMLDialogElement} */ (part("help"));
  const enabled = /** @type {HTMLInputElement} */ (part("keys-on"));
  enabled.checked = !stored();
  enabled.addEventListener("change", () => store(!enabled.checked));
  const open = () => dialog.showModal();
  part("help-open").addEventListener("click", open);
  part("help-close").addEventListener("click", () => dialog.close());
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented || dialog.open || !enabled.checked || typing(event.target)) return;
    const action = event.key === "?" ? open : actions[event.key];
    if (!action) return;
    event.preventDefault();
    action();
  });
}

/** @param {EventTarget | null} target */
function typing(target) {
  return target instanceof HTMLElement && target.matches("input:not([type=radio], [type=checkbox]), select, textarea, [contenteditable]");
}

function stored() {
  try {
    return localStorage.getItem(OFF) === "1";
  } catch {
    return false;
  }
}

/** @param {boolean} off */
function store(off) {
  try {
    if (off) localStorage.setItem(OFF, "1");
    else localStorage.removeItem(OFF);
  } catch {
    // A browser that keeps nothing: they stay as they are until the page is closed.
  }
}
