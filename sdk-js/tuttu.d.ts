// The browser SDK of Tuttu. Every function returns a promise that never rejects, and none ever throws.

/** What a visitor can allow. Either of the first two allows cookie, profile and log. */
export type Purpose = "analytics" | "personalization" | "ads";

export type Properties = Record<string, unknown>;

/** What the gateway decided for one placement. */
export interface Decision {
  /** Redeems the decision in Content Shown and the like; null where nobody could, as without consent. */
  decision: string | null;
  /** The block's name; null for a placement that the rules do not have. */
  block: string | null;
  /** The block's fields, as the marketer wrote them: data, no markup. */
  content: Record<string, string | number | boolean | (string | number | boolean)[]>;
  variant: string | null;
  reason:
    | "rule"
    | "best_score"
    | "experiment"
    | "holdout"
    | "fallback"
    | "no_consent"
    | "degraded"
    | "claim"
    | "unknown";
  /** The rules say that this block's texts are markup to be trusted. */
  html?: boolean;
}

/** What a page may know of its visitor. */
export interface Visitor {
  returning: boolean;
  stage: string;
  temperature: string;
}

export interface Answer {
  /** By placement; empty when there was no answer. */
  placements: Record<string, Decision>;
  /** Only when the profile was read. */
  visitor?: Visitor;
}

export interface Tuttu {
  /** Resolves with the first answer, or without one when the gateway does not answer. */
  readonly ready: Promise<Answer>;
  /** Count a page view and fill the document's slots. Called by itself, unless `auto` is off. */
  page(name?: string, properties?: Properties): Promise<void>;
  /** Tell what the visitor did. */
  track(event: string, properties?: Properties): Promise<void>;
  /**
   * Tell who the visitor is, or something about them. The id goes with this page's later events as well; it is not
   * stored. `userHash` proves it: HMAC-SHA256(secret key, userId), made by your server.
   */
  identify(userId?: string | null, traits?: Properties, options?: { userHash?: string }): Promise<void>;
  /** Tell which company or team the visitor belongs to. */
  group(groupId: string, traits?: Properties): Promise<void>;
  /**
   * Note what the visitor allows, for this and all later pages. A list with neither analytics nor personalization
   * takes back everything: profile, cookie, unsent events. The same choice once more does nothing.
   */
  consent(purposes: Purpose[]): Promise<Answer | void>;
  /** Make a new visitor of this browser, as when somebody logs out; earlier events still go to the old one. */
  reset(): Promise<void>;
  /** Ask for placements, or for all slots of the document, and fill their slots. */
  decide(placements?: string[]): Promise<Answer>;
  /** Count a conversion for what was last seen in a placement, on this page or an earlier one of the tab. */
  converted(placement: string): Promise<void>;
}

export interface Options {
  /** The site's public key. */
  writeKey: string;
  /** Where the gateway is, with a slash at the end; by default the folder that this module was loaded from. */
  gateway?: string;
  /** "wait": nothing is stored or told before the first call of consent(). By default the gateway's setting decides. */
  consent?: "wait";
  /** "off": no page view by itself, neither at the start nor when the address changes. */
  auto?: "off";
}

/** Start the SDK with options of your own. A page has one: a second call returns the first. */
export function createTuttu(options: Options): Tuttu;

/** The instance of the page's script element; undefined where the page has none. */
export const tuttu: Tuttu | undefined;

declare global {
  interface Window {
    tuttu?: Tuttu;
  }

  interface DocumentEventMap {
    /** A slot was filled; the event bubbles up from it. */
    "tuttu:shown": CustomEvent<Decision & { placement: string }>;
  }
}
