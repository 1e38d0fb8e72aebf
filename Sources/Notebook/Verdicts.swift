// Claims by their verdicts in the ledger, so that a sentence follows them and no hand.

/// What the ledger says of a claim: of all models, tasks and voices it was asked of, or of those with one
/// of them.
public struct ClaimVerdict: Equatable, Sendable {
  /// `T1`, or `L1.people` for the part that was asked of people.
  public let key: String

  /// Where it holds and where it is refuted; an empty name where it was asked once.
  public let holds: [String]
  public let fails: [String]

  /// The claim in words.
  public let statement: String

  public let experiment: String

  /// `holds`, `mixed` or `refuted`.
  public var word: String { fails.isEmpty ? "holds" : holds.isEmpty ? "refuted" : "mixed" }

  public var count: String { "\(holds.count) of \(holds.count + fails.count)" }
}

extension Ledger {
  /// Every claim, and every part of a claim by what its row is called behind the claim's number.
  public func verdicts() throws -> [ClaimVerdict] {
    var order: [String] = []
    var members: [String: [(scope: String, row: Row)]] = [:]
    for row in rows where row.name.hasPrefix("claim.") {
      let parts = row.name.dropFirst("claim.".count).split(separator: ".", maxSplits: 1).map(
        String.init)
      guard row.value == 0 || row.value == 1,
        row.claim.hasPrefix(row.value == 1 ? "holds: " : "refuted: ")
      else { throw Failure("\"\(row.name)\": its value and its words are of different verdicts") }
      let scope = parts.count > 1 ? parts[1] : ""
      for key in [parts[0]] + scopeParts(scope).map({ "\(parts[0]).\($0)" }) {
        if members[key] == nil { order.append(key) }
        members[key, default: []].append((scope, row))
      }
    }
    return order.map { key in
      let all = members[key]!
      return ClaimVerdict(
        key: key, holds: all.filter { $0.row.value == 1 }.map(\.scope),
        fails: all.filter { $0.row.value == 0 }.map(\.scope),
        statement: statement(of: all[0].row, scope: all[0].scope), experiment: all[0].row.experiment
      )
    }
  }

  /// LaTeX definitions that `\byverdict`, `\countof`, `\holdsin` and `\failsin` read.
  ///
  /// - Parameter used: the claims that are asked for; nil for all
  public func verdictDefinitions(used: Set<String>? = nil) throws -> String {
    try verdicts().filter { used?.contains($0.key) ?? true }.map { verdict in
      [
        ("verdict", verdict.word), ("count", verdict.count), ("holds", list(verdict.holds)),
        ("fails", list(verdict.fails)),
      ]
      .map { "\\expandafter\\def\\csname \($0)@\(verdict.key)\\endcsname{\($1)}\n" }.joined()
    }
    .joined()
  }
}

/// The parts of `qwen2-audio-small.people.answer`; a model's name may have a dot itself.
private func scopeParts(_ scope: String) -> [String] {
  let english = "whisper-tiny.en"
  let rest = scope.hasPrefix(english) ? String(scope.dropFirst(english.count)) : scope
  let parts = rest.split(separator: ".").map(String.init)
  return (scope.hasPrefix(english) ? [english] : []) + parts
}

/// A claim's words without its verdict and without where it was asked.
private func statement(of row: Ledger.Row, scope: String) -> String {
  var text = row.claim[(row.claim.firstIndex(of: ":") ?? row.claim.startIndex)...].dropFirst(2)
  if text.hasSuffix(" (\(scope))") { text = text.dropLast(scope.count + 3) }
  if let model = scopeParts(scope).first, text.hasSuffix(" of \(model)"),
    let comma = text.lastIndex(of: ",")
  {
    text = text[..<comma]
  }
  return String(text)
}

/// Names joined as English joins them.
func list(_ names: [String]) -> String {
  let names = names.map { modelName(scope: $0) }
  guard names.count > 1 else { return names.first ?? "" }
  return names.dropLast().joined(separator: ", ") + " and " + names.last!
}

/// A scope in words: the checkpoint's name, and behind it what else was asked.
public func modelName(scope: String) -> String {
  scope.replacing(".", with: " ").replacing("tiny en", with: "tiny.en")
}
