// What was fixed beforehand about each sanity check: what would fool a reader, what is measured and what it
// must come to (`paper/definitions.md`, D118).

import JSON
import Notebook
import Speech

/// What a number with its interval must come to.
public enum SanityRule: Sendable, Equatable {
  /// Every value is this one, to the bit.
  case exactly(Double)
  /// The interval, or the range of all values, lies strictly above or below a bound, or between two.
  case above(Double)
  case below(Double)
  case within(Double, Double)
  /// The interval holds this value.
  case contains(Double)
  /// The interval does not lie above this value as a whole.
  case notAbove(Double)
  /// The value itself reaches this, or does not pass it.
  case atLeast(Double)
  case atMost(Double)
}

extension SanityRule {
  /// Whether a number meets the rule. One that is not finite, or has no interval, meets none.
  public func holds(_ number: Estimate) -> Bool {
    guard number.value.isFinite, number.low.isFinite, number.high.isFinite else { return false }
    switch self {
    case .exactly(let x): return number.low == x && number.high == x
    case .above(let x): return number.low > x
    case .below(let x): return number.high < x
    case .within(let a, let b): return a < number.low && number.high < b
    case .contains(let x): return number.low <= x && x <= number.high
    case .notAbove(let x): return number.low <= x
    case .atLeast(let x): return number.value >= x
    case .atMost(let x): return number.value <= x
    }
  }

  /// Whether the rule asks of every single value, so that a handful of items can break it.
  public var isExact: Bool { if case .exactly = self { true } else { false } }

  /// Where the interval, or for the last two the value, may lie.
  public var region: ClosedRange<Double> {
    switch self {
    case .exactly(let x), .contains(let x): x...x
    case .above(let x), .atLeast(let x): x...(.infinity)
    case .below(let x), .notAbove(let x), .atMost(let x): -.infinity...x
    case .within(let a, let b): a...b
    }
  }
}

extension SanityRule: CustomStringConvertible {
  public var description: String {
    switch self {
    case .exactly(let x): "exactly \(shortest(x))"
    case .above(let x): "interval above \(shortest(x))"
    case .below(let x): "interval below \(shortest(x))"
    case .within(let a, let b): "between \(shortest(a)) and \(shortest(b))"
    case .contains(let x): "interval holds \(shortest(x))"
    case .notAbove(let x): "interval not above \(shortest(x))"
    case .atLeast(let x): "at least \(shortest(x))"
    case .atMost(let x): "at most \(shortest(x))"
    }
  }

  /// Reads one of `{"exactly": x}`, `{"within": [a, b]}` and so on.
  fileprivate init(_ json: JSON) throws {
    let names = "exactly, above, below, within, contains, notAbove, atLeast, atMost"
    guard let members = json.members, members.count == 1, let (name, bound) = members.first else {
      throw JSONError("\"rule\" should have one of \(names)")
    }
    if name == "within", let pair = bound.elements?.map(\.double), pair.count == 2,
      let a = pair[0], let b = pair[1], a < b
    {
      self = .within(a, b)
      return
    }
    let rules: [String: (Double) -> SanityRule] = [
      "exactly": SanityRule.exactly, "above": SanityRule.above, "below": SanityRule.below,
      "contains": SanityRule.contains, "notAbove": SanityRule.notAbove,
      "atLeast": SanityRule.atLeast, "atMost": SanityRule.atMost,
    ]
    guard let make = rules[name], let x = bound.double else {
      throw JSONError("\"rule\" should be one of \(names) with a number, \"within\" with two")
    }
    self = make(x)
  }
}

/// One check as it was written down.
public struct SanityCheck: Sendable {
  public let id: String
  /// The item of the protocol, or the gate.
  public let item: String
  /// What the figure calls it.
  public let label: String
  /// What a reader would be fooled by where it failed.
  public let fooled: String
  /// What is measured.
  public let measured: String
  /// Nil where there is nothing to measure.
  public let rule: SanityRule?
}

/// The checks of the part "sanity" of a preregistration.
public struct SanityChecks: Sendable {
  /// Every check, in the order of the table.
  public let all: [SanityCheck]
  /// The window of all checks: the changed phone, and so many milliseconds on either side.
  public let margin: Double
  public var window: PairWindow { .changed(margin: margin) }
  private let path: String
  private let part: RulesPart

  /// - Throws: an error that names the file and the entry that is missing or out of range.
  public init(_ path: String) throws {
    self.path = path
    part = try RulesPart("sanity", of: path)
    do {
      let json = try JSON.object(readJSON(path).object("sanity"))
      margin = try json.double("margin")
      guard margin >= 0 else { throw JSONError("\"margin\" is \(margin) ms") }
      all = try json.array("checks").enumerated().map { i, entry in
        do { return try SanityCheck(entry) } catch {
          throw JSONError("check \(entry["id"]?.string ?? "\(i)"): \(error)")
        }
      }
      for (i, check) in all.enumerated()
      where all[..<i].contains(where: { $0.id == check.id }) {
        throw JSONError("check \(check.id) is there twice; name them apart")
      }
    } catch { throw CheckpointError("\(path): \"sanity\": \(error)") }
  }

  /// - Throws: where no check has that name.
  public func check(_ id: String) throws -> SanityCheck {
    guard let check = all.first(where: { $0.id == id }) else {
      throw CheckpointError("\(path): has no check \(quoted(id)); write down what it must come to")
    }
    return check
  }

  /// The rows in the order in which their checks were written down.
  public func ordered(_ rows: [SanityRow]) -> [SanityRow] {
    all.flatMap { check in rows.filter { $0.check.id == check.id } }
  }

  /// - Throws: where a check that was written down has no row, so that it would pass unseen.
  public func demandEvery(in rows: [SanityRow]) throws {
    let missing = all.map(\.id).filter { id in !rows.contains { $0.check.id == id } }
    guard missing.isEmpty else {
      throw CheckpointError(
        "\(path): \(missing.joined(separator: ", ")): nobody has run this check")
    }
  }

  /// How many of something are measured, as the entry "asked" says.
  public func count(_ name: String) throws -> Int { try part.count(name, in: "asked") }
}

extension SanityCheck {
  fileprivate init(_ json: JSON) throws {
    id = try json.string("id")
    item = try json.string("item")
    label = try json.string("label")
    fooled = try json.string("fooled")
    measured = try json.string("measured")
    rule = try json["rule"].map { try SanityRule($0) }
  }
}

extension JSON {
  func positive(_ key: String) throws -> Int {
    let number = try int(key)
    guard number > 0 else { throw JSONError("\"\(key)\" is \(number); it should be 1 or more") }
    return number
  }
}
