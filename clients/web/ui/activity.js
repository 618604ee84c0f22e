// Which conversation comes first.

/** When something was said last, or when it began. */
export function activity({ info, lastMessage }) {
  return lastMessage?.timestamp ?? info.createdAt;
}

/** Those that have `info`, sorted. */
export function latestFirst(conversations) {
  return conversations
    .map((conversation) => [activity(conversation), conversation])
    .sort(([one], [other]) => (one < other ? 1 : -1))
    .map(([, conversation]) => conversation);
}
