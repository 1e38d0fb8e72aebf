// The table of sanity checks: what each measured in each checkpoint, and whether that is what was
// written down beforehand (`paper/definitions.md`, D118).

import Corpus
import JSON
import Tensor

/// What a check measured.
public struct SanityEvidence: Sendable, Codable, Equatable {
  /// The number with its interval; of single values their mean, the smallest and the largest.
  public let number: Estimate
  /// How many pairs, recordings, draws or trials it was measured on.
  public let count: Int
  /// Independent groups of them, by which the interval was drawn; 0 where there are none.
  public let groups: Int

  public init(_ number: Estimate, count: Int, groups: Int = 0) {
    (self.number, self.count, self.groups) = (number, count, groups)
  }

  /// Single values, each of which is asked.
  public init(every values: [Double]) {
    let isUsable = !values.isEmpty && values.allSatisfy(\.isFinite)
    let mean = values.reduce(0, +) / Double(values.count)
    self.init(
      isUsable
        ? Estimate(value: mean, low: values.min()!, high: values.max()!)
        : Estimate(value: .nan, low: -.infinity, high: .infinity), count: values.count)
  }
}

/// One check of one checkpoint.
public struct SanityRow: Sendable {
  public let check: SanityCheck
  /// Nil where no checkpoint of the package was asked.
  public let checkpoint: String?
  /// Nil where there is nothing to measure.
  public let evidence: SanityEvidence?

  public init(_ check: SanityCheck, _ checkpoint: String?, _ evidence: SanityEvidence?) {
    (self.check, self.checkpoint, self.evidence) = (check, checkpoint, evidence)
  }

  /// Whether it came to what was written down; nil where there is nothing to measure.
  public var holds: Bool? {
    check.rule.flatMap { rule in evidence.map { rule.holds($0.number) } }
  }

  /// `0.43 [0.39, 0.48]`.
  public var result: String {
    guard let number = evidence?.number else { return "" }
    return "\(rounded(number.value)) [\(rounded(number.low)), \(rounded(number.high))]"
  }

  public var verdict: String { holds.map { $0 ? "holds" : "FAILS" } ?? "nothing to measure" }
}

extension Array where Element == SanityRow {
  /// Every row with all that was written down, one a line.
  public var table: String {
    let columns = [
      "item", "check", "checkpoint", "what would fool us", "what is measured", "rule", "value",
      "low", "high", "count", "groups", "verdict",
    ]
    let lines = map { row -> String in
      let number = row.evidence?.number
      func text(_ value: Double?) -> String { value.map { "\($0)" } ?? "" }
      return [
        row.check.item, row.check.id, row.checkpoint ?? "", row.check.fooled, row.check.measured,
        row.check.rule?.description ?? "", text(number?.value), text(number?.low),
        text(number?.high), row.evidence.map { "\($0.count)" } ?? "",
        row.evidence.map { $0.groups > 0 ? "\($0.groups)" : "" } ?? "", row.verdict,
      ].joined(separator: "\t")
    }
    return ([columns.joined(separator: "\t")] + lines).map { $0 + "\n" }.joined()
  }

  /// The table in short, aligned for a terminal.
  public var summary: String {
    let cells = map {
      [
        $0.check.item, $0.check.label, $0.checkpoint ?? "", $0.result,
        $0.check.rule?.description ?? "", $0.verdict,
      ]
    }
    let widths = (0..<5).map { c in cells.map { $0[c].count }.max() ?? 0 }
    return cells.map { row in
      zip(row, widths).map { $0 + String(repeating: " ", count: $1 - $0.count) + "  " }.joined()
        + row[5] + "\n"
    }.joined()
  }
}

extension SanityChecks {
  /// Rows that another program has measured under these checks and written as `table`.
  ///
  /// - Throws: where the table is not there, a row's check was not written down, or its verdict is not
  ///   what the rule says of its number.
  public func rows(of path: String) throws -> [SanityRow] {
    let table = try Table(contentsOf: path)
    return try table.rows.map { line, fields in
      do {
        let values = try table.values(of: fields)
        func number(_ name: String) throws -> Double {
          guard let value = values[name].flatMap(Double.init) else {
            throw CellError("has no number in column \(name)")
          }
          return value
        }
        let row = SanityRow(
          try check(values["check"] ?? ""), values["checkpoint"],
          SanityEvidence(
            Estimate(
              value: try number("value"), low: try number("low"), high: try number("high")),
            count: Int(try number("count")),
            groups: values["groups"] == nil ? 0 : Int(try number("groups"))))
        guard values["verdict"] == row.verdict else {
          throw CellError(
            "says \(quoted(values["verdict"] ?? "")) where its rule and number say "
              + quoted(row.verdict))
        }
        return row
      } catch { throw CellError("\(path): line \(line): \(error); git checkout the table") }
    }
  }
}

/// Four digits behind the point, without a sign at zero.
private func rounded(_ x: Double) -> String {
  guard x.isFinite, abs(x) < 1e9 else { return "\(x)" }
  let units = Int((abs(x) * 10_000).rounded())
  let digits = "\(units % 10_000)"
  return (x < 0 && units > 0 ? "-" : "") + "\(units / 10_000)."
    + String(repeating: "0", count: 4 - digits.count) + digits
}
