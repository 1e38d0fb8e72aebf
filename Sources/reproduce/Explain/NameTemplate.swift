// A name as a source writes it, with `\(...)` where anything may stand.

struct NameTemplate: Equatable {
  /// The literal parts; between one and the next stands what is interpolated.
  let parts: [String]

  /// Reads the inside of a string literal.
  init(literal: some StringProtocol) {
    var parts = [""]
    var rest = Substring(literal)
    while let character = rest.popFirst() {
      guard character == "\\", let escaped = rest.popFirst() else {
        parts[parts.count - 1].append(character)
        continue
      }
      guard escaped == "(" else {
        parts[parts.count - 1].append(escaped == "n" ? "\n" : escaped)
        continue
      }
      var depth = 1
      while depth > 0, let inside = rest.popFirst() {
        depth += inside == "(" ? 1 : inside == ")" ? -1 : 0
      }
      parts.append("")
    }
    self.parts = parts
  }

  private init(parts: [String]) { self.parts = parts }

  /// The same with anything behind it.
  var open: NameTemplate { NameTemplate(parts: parts + [""]) }

  /// How much of a name that it matches it says itself; a name without a gap says most.
  var weight: Int { parts.reduce(0) { $0 + $1.count } * 2 + (parts.count == 1 ? 1 : 0) }

  /// What stands in the gaps of a name; nil where it is no such name.
  func gaps(in name: String) -> [String]? {
    guard var rest = name[...].dropping(prefix: parts[0]) else { return nil }
    guard parts.count > 1 else { return rest.isEmpty ? [] : nil }
    var found: [String] = []
    for part in parts[1..<(parts.count - 1)] {
      // Two gaps side by side: the second has it all.
      if part.isEmpty {
        found.append("")
        continue
      }
      guard let range = rest.firstRange(of: part) else { return nil }
      found.append(String(rest[..<range.lowerBound]))
      rest = rest[range.upperBound...]
    }
    guard rest.hasSuffix(parts.last!) else { return nil }
    return found + [String(rest.dropLast(parts.last!.count))]
  }

  func matches(_ name: String) -> Bool { gaps(in: name) != nil }

  /// The name with one text in every gap.
  func filled(with text: String) -> String { parts.joined(separator: text) }
}

extension Substring {
  fileprivate func dropping(prefix: String) -> Substring? {
    hasPrefix(prefix) ? dropFirst(prefix.count) : nil
  }
}
