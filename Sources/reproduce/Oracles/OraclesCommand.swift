// `reproduce oracles`: everything whose answer is known beforehand is asked for, and the numbers are
// printed.

import ArgumentParser
import Foundation
import Interventions
import Tensor

struct Oracles: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Asks every method for what is known beforehand.",
    discussion: """
      Fifteen oracle tests of patching, attribution, autoencoders and scrubbing; a planted bottleneck \
      that the whole procedure has to find, and the same models without it, in which it must find \
      nothing; coverage of the intervals and family-wise error of the map test on simulated data. Ends \
      with status 1 where one fails.
      """)

  @Option(help: "How many plants of each kind.") var seeds = 20

  func validate() throws {
    guard (1...1000).contains(seeds) else {
      throw ValidationError("--seeds is \(seeds); give 1 to 1000")
    }
  }

  func run() throws {
    var failed = 0
    func report(_ passes: Bool, _ line: String) {
      print(line)
      fflush(nil)
      if !passes { failed += 1 }
    }
    print("Oracle tests, on planted models of random weights")
    for oracle in try methodOracles() { report(oracle.passes, oracle.line) }

    print("\nThe whole procedure on \(seeds) plants of each kind")
    for kind in Plant.Kind.allCases {
      let trials = try plantedTrials(kind, seeds: 0..<UInt64(seeds))
      let row = PlantedRow(kind, trials)
      report(row.passes, row.line)
      for trial in trials where row.isWrong(trial) { print("       \(row.detail(trial))") }
    }

    print("\nStatistics on simulated data whose truth is known")
    for row in try simulations() { report(row.passes, row.line) }

    print(failed == 0 ? "\nall pass" : "\n\(failed) fail")
    if failed > 0 { throw ExitCode(1) }
  }
}

/// The 15 oracles in their order.
private func methodOracles() throws -> [Oracle] {
  let subject = try OracleSubject(seed: 5)
  let oracles =
    try patchingOracles(subject) + gradientOracles(subject) + verificationOracles(subject)
  return (oracles + [comparesNonZeros(oracles)]).sorted { $0.number < $1.number }
}

/// 10. No oracle compares zeros with zeros: each says which effect it has seen.
private func comparesNonZeros(_ oracles: [Oracle]) -> Oracle {
  let idle = oracles.filter { !($0.seen > 0) }
  return Oracle(
    10, "every oracle has seen something that is not zero", passes: idle.isEmpty, seen: 1,
    "\(oracles.count - idle.count) of \(oracles.count); the smallest magnitude compared is "
      + scientific(oracles.map(\.seen).min() ?? 0))
}

/// What the procedure made of the plants of one kind.
private struct PlantedRow {
  let kind: Plant.Kind
  let trials: [PlantedTrial]

  init(_ kind: Plant.Kind, _ trials: [PlantedTrial]) {
    self.kind = kind
    self.trials = trials
  }

  func isWrong(_ trial: PlantedTrial) -> Bool {
    kind == .bottleneck ? !trial.isRecovered : trial.isFalsePositive
  }

  /// At most one in twenty may be wrong.
  var passes: Bool { 20 * trials.count(where: isWrong) <= trials.count }

  var line: String {
    let verdict = passes ? "PASS" : "FAIL"
    let entered = trials.reduce(0) { $0 + $1.finding.entered.reduce(0, +) }
    let pairs = "\(entered) of \(72 * trials.count) pairs enter"
    guard kind == .bottleneck else {
      return "\(verdict)  \(kind.rawValue): something found in \(trials.count(where: isWrong)) of "
        + "\(trials.count) (\(pairs))"
    }
    let sizes = trials.compactMap(\.finding.size)
    let recovered = sizes.map(\.recovery.value)
    return "\(verdict)  \(kind.rawValue): layer and window in \(trials.count(where: \.foundCell)), "
      + "dimension in \(trials.count(where: \.foundRank)), all three in "
      + "\(trials.count(where: \.isRecovered)) of \(trials.count) (\(pairs); recovery at K* "
      + "\(decimal(recovered.min() ?? 0))..\(decimal(recovered.max() ?? 0)), smallest cosine to the "
      + "planted subspace \(decimal(trials.compactMap(\.alignment).min() ?? 0, 3)))"
  }

  func detail(_ trial: PlantedTrial) -> String {
    let found = trial.finding.bottleneck.map { "\($0)" }.joined(separator: ", ")
    return
      "seed \(trial.plant.seed): planted \(trial.planted), dimension \(trial.plant.rank); found "
      + (found.isEmpty ? "nothing" : found)
      + (trial.finding.size.map { ", dimension \($0.chosen.size)" } ?? "")
  }
}

/// Coverage and family-wise error, with their own exact intervals.
private func simulations() throws -> [(passes: Bool, line: String)] {
  let random = Random(seed: 20_026)
  func share(_ e: Estimate) -> String {
    "\(decimal(100 * e.value, 1))% [\(decimal(100 * e.low, 1)), \(decimal(100 * e.high, 1))]"
  }
  var rows: [(Bool, String)] = []
  for groups in [12, 30, 100] {
    let found = try intervalCoverage(
      groups: groups, trials: 2_000, draws: 1_000, random.split("coverage \(groups)"))
    let passes = (0.92...0.97).contains(found.clusters.value)
    rows.append(
      (
        passes,
        "\(passes ? "PASS" : "FAIL")  coverage of the 95% cluster interval, \(groups) groups, 2000 "
          + "data sets: \(share(found.clusters)); pairs drawn one by one \(share(found.pairs))"
      ))
  }
  let error = try familyWiseError(trials: 4_000, draws: 399, random.split("family"))
  let passes = error.maxT.value <= 0.06
  rows.append(
    (
      passes,
      "\(passes ? "PASS" : "FAIL")  family-wise error of max-T at 5%, 60 cells, 4000 maps without an "
        + "effect: \(share(error.maxT)); every cell by itself \(share(error.uncorrected))"
    ))
  return rows
}
