// The numbers: times in ms, limits of the server, codes of a Close frame.  They are
// in a module of their own as esbuild then puts them where they are used.

export const REQUEST_TIMEOUT = 15000;  // the server answers within 5 s, the network may not
export const STABLE = 10000;           // after so long a connection counts as good
export const SEND_AGAIN = 1000;        // the first wait after a refusal that may pass
export const ASK_AGAIN = 1500;         // after an answer that may be another the next time
export const TYPING_EVERY = 2500;      // of many in 3 s the server takes the first

export const PAGE = 50;                // messages that one sees
export const FULL_PAGE = 200;          // messages a request at most
export const RESUMED_AT_ONCE = 100;    // chats

export const TOO_LARGE = 1009;
export const RELOADED = 1012;
export const TOKEN_ENDED = 4001;
export const TOKEN_REVOKED = 4002;
export const REPLACED = 4003;
