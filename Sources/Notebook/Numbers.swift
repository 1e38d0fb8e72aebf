// The ledger: every number that the paper quotes, in one file of tab-separated rows.
//
// Goals, in order: a number reads back as the number that was written; the same rows are always
// the same bytes; a wrong line is named.

/// The rows of `paper/numbers.tsv`, sorted by name.
public struct Ledger: Equatable, Sendable {
  public struct Row: Equatable, Sendable {
    public let name: String
    public let value: Double

    /// The interval, where the number has one.
    public let low: Double?
    public let high: Double?

    /// How far a rerun may be off; 0 where it must give the same bits.
    public let tolerance: Double

    /// The experiment that the number comes from.
    public let experiment: String

    /// The claim that it supports; may be empty.
    public let claim: String

    public init(
      name: String, value: Double, low: Double? = nil, high: Double? = nil, tolerance: Double = 0,
      experiment: String, claim: String = ""
    ) throws {
      self.name = name
      self.value = value
      self.low = low
      self.high = high
      self.tolerance = tolerance
      self.experiment = experiment
      self.claim = claim
      try check()
    }

    private func check() throws {
      _ = try macroName(of: name)
      for (what, number) in [("value", value), ("low", low), ("high", high)] {
        if let number, !number.isFinite { throw Failure("\"\(name)\": \(what) is \(number)") }
      }
      guard (low == nil) == (high == nil), low ?? 0 <= high ?? 0 else {
        throw Failure("\"\(name)\": an interval needs low and high, in this order")
      }
      guard tolerance.isFinite, tolerance >= 0 else {
        throw Failure("\"\(name)\": a tolerance cannot be \(tolerance)")
      }
      for text in [experiment, claim] where text.contains(where: { $0 == "\t" || $0.isNewline }) {
        throw Failure("\"\(name)\": a tab or a line break in \"\(text)\"")
      }
      guard !experiment.isEmpty else { throw Failure("\"\(name)\": of which experiment?") }
    }
  }

  public let rows: [Row]

  /// Sorts rows; two of one name are an error.
  public init(_ rows: [Row]) throws {
    self.rows = rows.sorted { $0.name < $1.name }
    for (row, next) in zip(self.rows, self.rows.dropFirst()) where row.name == next.name {
      let owners = Set([row.experiment, next.experiment]).sorted().joined(separator: " and ")
      throw Failure("the number \"\(row.name)\" is there twice, from \(owners)")
    }
  }

  public subscript(name: String) -> Row? { rows.first { $0.name == name } }

  /// The ledger with other rows for one experiment, and the rows of all others as they were.
  public func replacing(rowsOf experiment: String, with new: [Row]) throws -> Ledger {
    try Ledger(rows.filter { $0.experiment != experiment } + new)
  }
}

// ## Text

extension Ledger {
  private static let columns =
    ["name", "value", "low", "high", "tolerance", "experiment", "claim"]

  /// The file's text. Numbers are in Swift's description, the shortest that reads back exactly.
  public var text: String {
    let lines = rows.map { row in
      [
        row.name, "\(row.value)", row.low.map { "\($0)" } ?? "", row.high.map { "\($0)" } ?? "",
        "\(row.tolerance)", row.experiment, row.claim,
      ]
    }
    return ([Ledger.columns] + lines).map { $0.joined(separator: "\t") + "\n" }.joined()
  }

  /// Reads a ledger.
  ///
  /// - Parameter file: where the text came from, for the message.
  public init(parsing text: String, file: String) throws {
    var lines = text.split(separator: "\n", omittingEmptySubsequences: false)[...]
    if lines.last == "" { lines = lines.dropLast() }
    guard lines.first.map(String.init) == Ledger.columns.joined(separator: "\t") else {
      throw Failure(
        "\(file), line 1: expected the columns \(Ledger.columns.joined(separator: ", ")),"
          + " separated by tabs")
    }
    var rows: [Row] = []
    for (i, line) in lines.enumerated().dropFirst() {
      do {
        let row = try Row(parsing: line)
        guard !rows.contains(where: { $0.name == row.name }) else {
          throw Failure("\"\(row.name)\" is there for the second time")
        }
        rows.append(row)
      } catch {
        throw Failure("\(file), line \(i + 1): \(error)")
      }
    }
    try self.init(rows)
  }

  /// Reads the ledger's file; one that is not there has no rows.
  public init(readingIfPresent path: String) throws {
    guard exists(path) else {
      self = try Ledger([])
      return
    }
    try self.init(parsing: String(decoding: contents(of: path), as: UTF8.self), file: path)
  }
}

extension Ledger.Row {
  fileprivate init(parsing line: Substring) throws {
    let fields = line.split(separator: "\t", omittingEmptySubsequences: false).map(String.init)
    guard fields.count == 7 else { throw Failure("expected 7 columns, found \(fields.count)") }
    func number(_ i: Int, _ column: String) throws -> Double {
      guard let number = Double(fields[i]) else {
        throw Failure("the \(column) \"\(fields[i])\" is no number")
      }
      return number
    }
    try self.init(
      name: fields[0], value: number(1, "value"),
      low: fields[2].isEmpty ? nil : number(2, "low"),
      high: fields[3].isEmpty ? nil : number(3, "high"),
      tolerance: number(4, "tolerance"), experiment: fields[5], claim: fields[6])
  }
}

// ## Comparing

extension Ledger {
  /// How a number of the paper stands against a rerun.
  public enum Verdict: String, Sendable {
    case identical, differs, missing
    case withinTolerance = "within tolerance"
    /// Of an experiment of which the rerun has no number at all.
    case notRerun = "not rerun"
  }

  public struct Comparison: Equatable, Sendable {
    public let name: String
    public let verdict: Verdict

    /// The two rows; one is absent where the verdict is `missing` or `notRerun`.
    public let paper: Row?
    public let rerun: Row?

    /// The largest of the differences of value, low and high; 0 where a row is missing.
    public let difference: Double
  }

  /// Compares the ledger of the paper with that of a rerun, name by name.
  ///
  /// The paper's tolerance decides. Rows that give another tolerance, experiment or claim differ
  /// whatever their numbers, and so does an interval where there was none.
  public func compared(to rerun: Ledger) -> [Comparison] {
    let names = Set(rows.map(\.name) + rerun.rows.map(\.name)).sorted()
    let experiments = Set(rerun.rows.map(\.experiment))
    return names.map { name in
      guard let a = self[name], let b = rerun[name] else {
        let wasRun = self[name].map { experiments.contains($0.experiment) } ?? true
        return Comparison(
          name: name, verdict: wasRun ? .missing : .notRerun, paper: self[name], rerun: rerun[name],
          difference: 0)
      }
      let pairs = [(a.value, b.value), (a.low ?? 0, b.low ?? 0), (a.high ?? 0, b.high ?? 0)]
      let difference = pairs.map { abs($0 - $1) }.max()!
      let isSameOtherwise =
        (a.low == nil) == (b.low == nil) && a.tolerance == b.tolerance
        && a.experiment == b.experiment && a.claim == b.claim
      let verdict: Verdict =
        a == b
        ? .identical
        : isSameOtherwise && difference <= a.tolerance ? .withinTolerance : .differs
      return Comparison(name: name, verdict: verdict, paper: a, rerun: b, difference: difference)
    }
  }
}

// ## From an experiment

extension Notebook {
  /// Records a number for the ledger.
  ///
  /// - Parameters:
  ///   - name: what the paper calls it; letters, digits and `.`, `-`, `_`.
  ///   - tolerance: how far a rerun on another machine may be off.
  ///   - claim: the claim that it supports.
  public func number(
    _ name: String, _ value: Double, low: Double? = nil, high: Double? = nil,
    tolerance: Double = 0, claim: String = ""
  ) {
    attempt {
      let row = try Ledger.Row(
        name: name, value: value, low: low, high: high, tolerance: tolerance,
        experiment: self.name, claim: claim)
      guard !numbers.contains(where: { $0.name == name }) else {
        throw Failure("the number \"\(name)\" is recorded twice")
      }
      numbers.append(row)
      events.append(Event("number", name))
    }
  }
}
