// Elements from words. What others wrote is always text: nothing here takes markup.

// Marks that turn the direction of writing or show nothing would let a name rewrite the words around it.
const TRICKS = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u061c\u200b-\u200f\u2028-\u202e\u2060-\u2069\ufeff]/g;
export const plain = (one) => (typeof one === "string" ? one.replace(TRICKS, "\ufffd") : one);

export function el(name, given = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(given)) {
    if (value === undefined || value === null || value === false) continue;
    if (key === "class") made.className = value;
    else if (key === "on") for (const [what, does] of Object.entries(value)) made.addEventListener(what, does);
    else if (key === "vars") for (const [name, one] of Object.entries(value)) made.style.setProperty(name, one);
    else made.setAttribute(key, value === true ? "" : plain(String(value)));
  }
  made.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== "").map(plain));
  return made;
}

// Fills a place with the children that are given, leaving alone those that say the same as before: what has the focus
// keeps it, and what is animated goes on.
export function fill(place, wanted) {
  const held = new Map([...place.children].map((one) => [one.dataset.key, one]));
  const focused = document.activeElement?.id;
  let before = null;
  for (const { key, says, make } of wanted) {
    const text = JSON.stringify(says);
    let one = held.get(key);
    if (!one || one.told !== text) {
      const fresh = make();
      fresh.dataset.key = key;
      fresh.told = text;
      if (one) one.replaceWith(fresh);
      one = fresh;
    }
    held.delete(key);
    const after = before ? before.nextElementSibling : place.firstElementChild;
    if (after !== one) place.insertBefore(one, after);
    before = one;
  }
  for (const one of held.values()) one.remove();
  if (focused && document.activeElement?.id !== focused) document.getElementById(focused)?.focus({ preventScroll: true });
}
