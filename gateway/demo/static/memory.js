// What the site itself keeps in the browser: the consent choice, whether the panel is open, the pretended customer.

export function recall(area, key) {
  try {
    return JSON.parse(window[area].getItem(`havainto.${key}`));
  } catch {
    return null;
  }
}

/** Keep a value, or forget the key when the value is null; a browser without storage forgets at the page's end. */
export function keep(area, key, value) {
  try {
    if (value === null) window[area].removeItem(`havainto.${key}`);
    else window[area].setItem(`havainto.${key}`, JSON.stringify(value));
  } catch {
    // Storage is blocked: the choice holds for this page.
  }
}
