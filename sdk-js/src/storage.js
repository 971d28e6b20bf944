// Web storage that may be blocked, full or garbled. Whoever uses it keeps its values in memory as well, and goes on
// with those alone.

export const load = (key, area = "localStorage") => {
  try {
    return JSON.parse(window[area].getItem(key));
  } catch {
    return null;
  }
};

/** Keep a value, or forget the key when there is none; tells whether storage works. */
export const save = (key, value, area = "localStorage") => {
  try {
    if (value) window[area].setItem(key, JSON.stringify(value));
    else window[area].removeItem(key);
    return true;
  } catch {
    return false;
  }
};
