// Statistics against SciPy's values, which Tests/Peers/make_statistics_fixtures.py writes.

import Foundation
import Interventions
import JSON
import Tensor
import Testing

private let fixture: JSON = {
  let path = Bundle.module.path(forResource: "statistics", ofType: "json", inDirectory: "Fixtures")
  let bytes = [UInt8](FileManager.default.contents(atPath: path ?? "") ?? Data())
  return (try? JSON(parsing: bytes, name: "statistics.json")) ?? .null
}()

extension JSON {
  fileprivate func numbers(_ key: String) throws -> [Double] { try array(key).map { $0.double! } }
  fileprivate func optionals(_ key: String) throws -> [Double?] { try array(key).map(\.double) }
}

/// Whether a number is SciPy's, to 1e-10 of its size or absolutely where it is small.
private func agrees(_ found: Double, _ expected: Double) -> Bool {
  abs(found - expected) <= 1e-10 * max(1, abs(expected))
}

@Suite struct StatisticsGoldenTests {
  private func rows(_ name: String, atLeast count: Int) throws -> [JSON] {
    let rows = try fixture.array(name)
    #expect(rows.count >= count)
    return rows
  }

  @Test func correlationsAreSciPys() throws {
    for row in try rows("correlations", atLeast: 6) {
      let (x, y) = (try row.numbers("x"), try row.numbers("y"))
      #expect(try ranks(x) == row.numbers("ranks"))
      #expect(try agrees(pearson(x, y), row.double("pearson")))
      #expect(try agrees(spearman(x, y), row.double("spearman")))
      #expect(try agrees(kendall(x, y), row.double("kendall")), "\(x.count)")
      #expect(try agrees(slope(x, y), row.double("slope")))
    }
  }

  /// SciPy was given this package's random numbers, so that both have drawn the same samples.
  @Test func bootstrapIntervalsAreSciPys() throws {
    for row in try rows("bootstraps", atLeast: 16) {
      let clusters = Array(zip(try row.numbers("a"), try row.numbers("b")))
      let name = try row.string("statistic")
      let found = clusterInterval(
        of: clusters, draws: try row.int("draws"), level: try row.double("level"),
        method: IntervalMethod(rawValue: try row.string("method"))!,
        Random(seed: UInt64(try row.int("seed")))
      ) { pairs in
        let (a, b) = (pairs.map(\.0), pairs.map(\.1))
        return name == "ratio" ? a.reduce(0, +) / b.reduce(0, +) : pearson(a, b)
      }
      #expect(try agrees(found.value, row.double("value")))
      #expect(try agrees(found.low, row.double("low")), "\(name), \(clusters.count) clusters")
      #expect(try agrees(found.high, row.double("high")), "\(name), \(clusters.count) clusters")
    }
  }

  @Test func signFlipsAreSciPys() throws {
    for row in try rows("signFlips", atLeast: 10) {
      let means = try row.numbers("means")
      let p = signFlipTest(means, Random(seed: 1))
      #expect(try agrees(p, row.double("p")), "\(means.count) groups")
    }
  }

  /// The fixture goes through all 256 choices of signs by the definition, in NumPy.
  @Test func maxTIsItsDefinition() throws {
    let table = fixture["maxT"]!
    let cells = try table.array("cells").map { $0.elements!.map(\.double) }
    for (name, stepDown) in [("single", false), ("stepDown", true)] {
      let found = maxT(cells, stepDown: stepDown, Random(seed: 1))
      for (cell, (t, p)) in zip(found, zip(try table.optionals("t"), try table.optionals(name))) {
        #expect((cell == nil) == (t == nil))
        guard let cell, let t, let p else { continue }
        #expect(agrees(cell.t, t) && agrees(cell.p, p), "\(name): \(cell) for \(t), \(p)")
      }
    }
  }

  @Test func falseDiscoveryRatesAreSciPys() throws {
    for row in try rows("falseDiscoveries", atLeast: 3) {
      let p = try row.numbers("p")
      for (name, any) in [("bh", false), ("by", true)] {
        let (found, expected) = (
          falseDiscoveryRates(p, anyDependence: any), try row.numbers(name)
        )
        #expect(zip(found, expected).allSatisfy { agrees($0, $1) })
      }
    }
  }

  @Test func proportionsAreSciPys() throws {
    for row in try rows("proportions", atLeast: 9) {
      let (k, n) = (try row.int("k"), try row.int("n"))
      let found = clopperPearson(k, of: n, level: try row.double("level"))
      #expect(try agrees(found.low, row.double("low")), "\(k) of \(n)")
      #expect(try agrees(found.high, row.double("high")), "\(k) of \(n)")
    }
  }

  @Test func specialFunctionsAreSciPys() throws {
    for row in try rows("betas", atLeast: 60) {
      let (x, a, b) = (try row.double("x"), try row.double("a"), try row.double("b"))
      #expect(try agrees(incompleteBeta(x, a, b), row.double("p")), "I_\(x)(\(a), \(b))")
    }
    for row in try rows("students", atLeast: 16) {
      let t = studentQuantile(try row.double("p"), freedom: try row.double("freedom"))
      #expect(try agrees(t, row.double("t")), "\(row.compactText): \(t)")
    }
    for row in try rows("logGammas", atLeast: 10) {
      #expect(try agrees(logGamma(row.double("x")), row.double("value")))
    }
  }

  @Test func hypergeometricsAreSciPys() throws {
    for row in try rows("hypergeometrics", atLeast: 20) {
      let p = hypergeometricProbability(
        atMost: try row.int("hits"), sample: try row.int("sample"), marked: try row.int("marked"),
        population: try row.int("population"))
      #expect(try agrees(p, row.double("p")), "\(row.compactText)")
    }
    for row in try rows("missed", atLeast: 7) {
      let bound = mostMarked(
        hits: try row.int("hits"), sample: try row.int("sample"),
        population: try row.int("population"), alpha: try row.double("alpha"))
      #expect(try bound == row.int("bound"), "\(row.compactText)")
    }
  }
}
