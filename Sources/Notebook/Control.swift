// Controls, contrasts and claims: what is tested, what it should be, what it was.
//
// A *control* must hold whatever the experiment finds (a self-patch changes nothing); if one
// fails, the measurement is broken and nothing is written. A *contrast* compares the finding with
// its matched control and is reported either way, and so is a *claim* of the paper.

/// The outcome of a control, a contrast or a claim.
public struct Finding: Equatable, Sendable {
  public enum Kind: String, Sendable {
    case control, contrast, claim
    /// A claim in a run that cannot decide it.
    case exploratory
  }

  public let kind: Kind
  public let name: String

  /// What was expected, or what the claim says.
  public let expectation: String

  /// What was measured; empty for a claim, and why it is none for an exploratory one.
  public let measured: String

  public let holds: Bool

  /// PASS or FAIL for a control, plain words for what is reported either way.
  public var verdict: String {
    switch kind {
    case .control: holds ? "PASS" : "FAIL"
    case .contrast, .exploratory: holds ? "holds" : "does not hold"
    case .claim: holds ? "holds" : "REFUTED"
    }
  }
}

extension Notebook {
  /// Demands that every value is the expected one, exactly or within a tolerance.
  @discardableResult
  public func control(
    _ name: String, equals expected: Double, within tolerance: Double = 0,
    of values: some Collection<some BinaryFloatingPoint>
  ) -> Bool {
    let expectation =
      tolerance == 0 ? "exactly \(expected)" : "\(expected) within \(tolerance)"
    return add(.control, name, expectation, of: values) {
      tolerance == 0 ? $0 == expected : abs($0 - expected) <= tolerance
    }
  }

  /// Demands that every value lies strictly above or below a bound, or between two.
  @discardableResult
  public func control(
    _ name: String, above low: Double = -.infinity, below high: Double = .infinity,
    of values: some Collection<some BinaryFloatingPoint>
  ) -> Bool {
    add(.control, name, bounds(low, high), of: values) { low < $0 && $0 < high }
  }

  /// Demands that an interval contains a value.
  @discardableResult
  public func control(_ name: String, low: Double, high: Double, contains value: Double) -> Bool {
    add(
      .control, name, "contains \(value)", measured: "[\(low), \(high)]",
      holds: low <= value && value <= high)
  }

  /// Reports whether an interval, of a difference to a matched control say, leaves out a value.
  @discardableResult
  public func contrast(_ name: String, low: Double, high: Double, excludes value: Double) -> Bool {
    add(
      .contrast, name, "excludes \(value)", measured: "[\(low), \(high)]",
      holds: low <= high && (high < value || value < low))
  }

  /// Reports whether every value lies strictly above or below a bound, or between two.
  @discardableResult
  public func contrast(
    _ name: String, above low: Double = -.infinity, below high: Double = .infinity,
    of values: some Collection<some BinaryFloatingPoint>
  ) -> Bool {
    add(.contrast, name, bounds(low, high), of: values) { low < $0 && $0 < high }
  }

  /// Demands, or of a contrast reports, what the caller has tested by a rule of its own.
  ///
  /// - Parameters:
  ///   - expectation: the rule in words
  ///   - measured: what was tested by it
  @discardableResult
  public func test(
    _ kind: Finding.Kind, _ name: String, _ expectation: String, measured: String, holds: Bool
  ) -> Bool {
    precondition(
      kind == .control || kind == .contrast, "a claim has a row of the ledger; use claim")
    return add(kind, name, expectation, measured: measured, holds: holds)
  }

  /// Reports a claim of the paper, with a row `claim.ID` of the ledger: 1 where it holds, 0 where
  /// the numbers refute it. A quick run, and one on the reader's own model or pairs, decides none.
  @discardableResult
  public func claim(_ id: String, _ text: String, holds: Bool) -> Bool {
    if let reason = options.exploratory {
      let verdict = holds ? "holds" : "does not hold"
      number("claim.\(id)", holds ? 1 : 0, claim: "exploratory, \(verdict): \(text)")
      return add(.exploratory, id, text, measured: reason, holds: holds)
    }
    number("claim.\(id)", holds ? 1 : 0, claim: "\(holds ? "holds" : "refuted"): \(text)")
    return add(.claim, id, text, measured: "", holds: holds)
  }

  // ## Reporting

  private func add<Number: BinaryFloatingPoint>(
    _ kind: Finding.Kind, _ name: String, _ expectation: String, of values: some Collection<Number>,
    test: (Double) -> Bool
  ) -> Bool {
    let values = values.map { Double($0) }
    let wrong = values.indices.filter { !test(values[$0]) }
    let measured: String
    if values.isEmpty {
      measured = "there are no values"
    } else if let first = wrong.first {
      measured = "\(wrong.count) of \(values.count) are not; value \(first) is \(values[first])"
    } else if values.count == 1 {
      measured = "\(values[0])"
    } else {
      measured = "\(values.count) values, from \(values.min()!) to \(values.max()!)"
    }
    let holds = !values.isEmpty && wrong.isEmpty
    return add(kind, name, expectation, measured: measured, holds: holds)
  }

  private func add(
    _ kind: Finding.Kind, _ name: String, _ expectation: String, measured: String, holds: Bool
  ) -> Bool {
    let finding = Finding(
      kind: kind, name: name, expectation: expectation, measured: measured, holds: holds)
    findings.append(finding)
    let number = findings.count { $0.kind == kind }
    let isClaim = kind == .claim || kind == .exploratory
    let label = isClaim ? "claim \(name)" : "\(kind) \(number)  \(name)"
    let detail = measured.isEmpty ? expectation : "\(expectation): \(measured)"
    let line = "\(label)  \(finding.verdict)  \(detail)"
    say(line, of: Event(isClaim ? "claim" : kind.rawValue, name, line))
    return holds
  }

  private func bounds(_ low: Double, _ high: Double) -> String {
    switch (low.isFinite, high.isFinite) {
    case (true, true): "between \(low) and \(high)"
    case (true, false): "above \(low)"
    case (false, true): "below \(high)"
    case (false, false): "finite"
    }
  }
}
