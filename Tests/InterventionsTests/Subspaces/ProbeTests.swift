// Linear probes: scores by another route, chance on shuffled labels, and what a plane cannot tell.

import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

@Suite struct ProbeTests {
  @Test func scoresAreThoseOfTheDefinition() throws {
    let json = try readJSON(
      Bundle.module.resourceURL!.appendingPathComponent("Fixtures/subspaces.json").path)
    func matrix(_ name: String) -> DoubleMatrix {
      let rows = json[name]!.elements!.map { $0.elements!.map { $0.double! } }
      return DoubleMatrix(rows: rows.count, columns: rows[0].count, rows.flatMap { $0 })
    }
    let labels = json["labels"]!.elements!.map { $0.string! }
    let samples = matrix("samples")
    let probe = try Probe(samples, labels: labels, shrinkage: 0.2)
    #expect(probe.classes == Set(labels).sorted())
    let (found, expected) = (probe.scores(of: samples), matrix("probeScores"))
    for (a, b) in zip(found.numbers, expected.numbers) { #expect(abs(a - b) < 1e-9) }
    #expect(found.rows == expected.rows && found.columns == expected.columns)
    for (r, name) in probe.classes(of: samples).enumerated() {
      let row = Array(expected.row(r))
      #expect(name == probe.classes[row.firstIndex(of: row.max()!)!])
    }
  }

  /// Two classes that a plane tells apart, in more numbers than samples; shuffled labels are read by chance.
  @Test func readsWhatAPlaneTellsApart() throws {
    let (count, width) = (60, 80)
    func data(_ seed: UInt64) -> (DoubleMatrix, [String]) {
      var samples = DoubleMatrix(rows: count, columns: width, normal: Random(seed: seed))
      let labels = (0..<count).map { $0 % 2 == 0 ? "a" : "b" }
      for r in 0..<count where r % 2 == 0 { samples[r, 5] += 6 }
      return (samples, labels)
    }
    let (fit, labels) = data(1)
    let (test, truth) = data(2)
    func accuracy(_ labels: [String]) throws -> Double {
      let said = try Probe(fit, labels: labels, shrinkage: 0.2).classes(of: test)
      return Double(zip(said, truth).count { $0 == $1 }) / Double(count)
    }
    #expect(try accuracy(labels) > 0.95)
    var random = Random(seed: 3)
    let shuffled = random.permutation(count).map { labels[$0] }
    let chance = try accuracy(shuffled)
    #expect(abs(chance - 0.5) < 0.25, "\(chance)")
  }

  @Test func oneClassIsAnError() throws {
    let samples = DoubleMatrix(rows: 4, columns: 3, normal: Random(seed: 4))
    #expect(throws: SubspaceError.self) {
      try Probe(samples, labels: ["a", "a", "a", "a"], shrinkage: 0)
    }
    let same = DoubleMatrix(rows: 4, columns: 3)
    #expect(throws: SubspaceError.self) {
      try Probe(same, labels: ["a", "b", "a", "b"], shrinkage: 0.1)
    }
  }
}
