// How messages repeat what they were given: on one line, and never more than a line of it.

/// A text as a message repeats it; of more than `limit` characters its beginning, and how many it has.
public func shortened(_ text: some StringProtocol, atMost limit: Int = 60) -> String {
  let line = oneLine(text.prefix(limit))
  return text.dropFirst(limit).isEmpty ? line : "\(line)… (\(text.count) characters)"
}

/// The same in quotes:
///
///     quoted("pat")      "pat"
///     quoted(mobyDick)   "Call me Ishmael. Some years ago—never mind how long precisel…" (1206052 characters)
public func quoted(_ text: some StringProtocol, atMost limit: Int = 60) -> String {
  let line = oneLine(text.prefix(limit))
  return text.dropFirst(limit).isEmpty ? "\"\(line)\"" : "\"\(line)…\" (\(text.count) characters)"
}

private func oneLine(_ text: some StringProtocol) -> String {
  text.split(omittingEmptySubsequences: false, whereSeparator: \.isNewline).joined(separator: "\\n")
}
