// Interventions in noise: which neurons are chosen, which strength, what counts as an error, by numbers that can
// be worked out by hand.

import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

@Suite struct NoiseArmTests {
  @Test func theHighestNeuronsOfAllLayersAreTaken() {
    let scores: [[Double]] = [[0, 5, -9, 3], [4, 3, 7, 0]]
    #expect(NeuronSet(highest: 3, of: scores).byLayer == [[1], [0, 2]])
    // Of equals the first.
    #expect(NeuronSet(highest: 4, of: scores).byLayer == [[1, 3], [0, 2]])
    #expect(NeuronSet(highest: 99, of: scores).count == 8)
    #expect(NeuronSet(highest: 0, of: scores).byLayer == [[], []])
  }

  @Test func drawnNeuronsAreAsManyInEachLayer() {
    let real = NeuronSet(byLayer: [[], [4, 2, 9], [0]])
    let drawn = real.drawn(of: 500, Random(seed: 3))
    #expect(drawn.byLayer.map(\.count) == [0, 3, 1] && drawn != real)
    #expect(drawn == real.drawn(of: 500, Random(seed: 3)))
    #expect(drawn != real.drawn(of: 500, Random(seed: 4)))
    #expect(drawn.byLayer[1] == Set(drawn.byLayer[1]).sorted())
  }

  /// Sums over time first: what cancels over time does not count.
  @Test func sensitivityComparesSumsOverTime() {
    let heard = Tensor([2, 3], [1, 2, 3, 4, 5, 6])
    let reference = Tensor([2, 3], [4, 2, 3, 1, 5, 0])
    #expect(sensitivity(of: [heard], against: [reference]) == [[0, 0, 6]])
  }

  @Test func everyDrawnArmStandsBesideARealOne() {
    #expect(Set(NoiseArm.all).count == NoiseArm.all.count)
    #expect(Set(NoiseArm.all.map(\.name)).count == NoiseArm.all.count)
    for arm in NoiseArm.all {
      #expect((arm.choice == .drawn) == (arm.matched != nil))
      if let real = arm.matched { #expect(real.choice == .causal && real.control == arm) }
      if arm.choice == .causal { #expect(NoiseArm.all.contains(arm.control)) }
    }
    // What anybody could do comes first.
    let oracles = NoiseArm.all.map(\.isOracle)
    #expect(oracles == oracles.sorted { !$0 && $1 } && oracles.last == true)
  }

  /// The fewest errors at a price below the bound; one that leaves as many as nothing done is none.
  @Test func theStrengthIsTheFewestErrorsThatMayBeHad() {
    func curve(_ points: (Double, Double, Double)...) -> [NoisePoint] {
      points.map { NoisePoint(strength: NoiseStrength($0.0), errors: $0.1, cost: $0.2) }
    }
    let some = curve((1, 0.3, 0), (2, 0.2, 0.009), (3, 0.2, 0), (4, 0.1, 0.01))
    #expect(some.chosen(below: 0.01, than: 0.3)?.strength.amount == 2)
    #expect(some.chosen(below: 0.02, than: 0.3)?.strength.amount == 4)
    #expect(some.chosen(below: 0.01, than: 0.2) == nil)
    #expect(some.chosen(below: 0, than: 0.3) == nil)
  }

  @Test func errorsAreMeansOverDraws() {
    var heard = HeardInNoise()
    let trial = NoiseTrial(.neurons(.drawn, .prune), NoiseStrength(1))
    heard[trial.arm, trial.strength] = ["pat one", "pat two and", "bat"]
    let score = heard.score(trial, of: "pat one")
    let third = 1.0 / 3.0
    #expect(score.errors == 4.0 / 3.0)
    #expect(score.exact == third)
    #expect(heard[trial.arm, NoiseStrength(1, by: 0.5)] == [])
    // Figures are spelled out, as far as the sentences count.
    heard[trial.arm, trial.strength] = [" Pat 1.", "pat 11"]
    #expect(heard.score(trial, of: "pat one") == (0.5, 0.5))
  }

  @Test func rulesSayWhatIsMissing() throws {
    let path = "\(root)/paper/preregistration-noise.json"
    let rules = try NoiseRules(path)
    #expect(rules.ratios == [5, 0] && rules.percents.count == 7 && rules.bias == 0.5)
    #expect(try rules.statement("N1").contains("fewest word errors"))
    let folder = try Folder()
    let text = try String(contentsOfFile: path, encoding: .utf8)
    for (old, new, complaint) in [
      ("\"bias\": 0.5", "\"bias\": 0", "number above 0 and up to 10.0 for \"bias\""),
      ("\"ratios\": [5, 0]", "\"ratios\": [5, 90]", "\"noise.ratios\" must list ratios"),
      ("\"draws\": 3", "\"draws\": 2.5", "whole number above 0 for \"draws\""),
      (
        "\"sizes\": [2, 5, 10, 20, 50],\n    \"steps\"", "\"sizes\": [2, 0],\n    \"steps\"",
        "list of whole numbers above 0 for \"sizes\""
      ),
      (
        "\"shares\": [0.25, 0.5, 1]", "\"shares\": [0.25, \"1\"]",
        "list of numbers above 0 and up to 1.0 for \"shares\""
      ),
    ] {
      let changed = text.replacingOccurrences(of: old, with: new)
      #expect(changed != text)
      let error = #expect(throws: CheckpointError.self) {
        try NoiseRules(folder.write("rules.json", changed))
      }
      #expect(error?.description.contains(complaint) == true)
    }
    #expect(throws: CheckpointError.self) { try rules.statement("N9") }
    #expect(throws: CheckpointError.self) {
      try NoiseRules("\(root)/paper/preregistration.json")
    }
  }
}
