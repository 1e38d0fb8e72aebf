// The planted model is what it says, and the procedure finds it.

import Interventions
import Speech
import Tensor
import Testing

@Suite struct PlantedTests {
  /// The three kinds of one seed differ in the plant alone.
  @Test func plantsAreDrawnFromTheirSeed() {
    let plants = (0..<40).map { Plant(.bottleneck, seed: $0) }
    #expect(Set(plants.map(\.layer)) == [1, 2, 3] && Set(plants.map(\.rank)) == [2, 3, 4])
    #expect(Set(plants.map(\.window)) == [4, 5, 6, 7])
    let removed = Plant(.removed, seed: 3)
    #expect(removed.layer == plants[3].layer && removed.rank == plants[3].rank)
  }

  @Test func theAnswerNeedsThePlant() throws {
    for kind in Plant.Kind.allCases {
      let planted = PlantedModel(Plant(kind, seed: 5))
      let gaps = try planted.pairs("test", voices: 4).map {
        try planted.model.trace($0.clean).logitDifference
          - planted.model.trace($0.corrupt).logitDifference
      }
      if kind == .removed {
        #expect(gaps.allSatisfy { abs($0) < 1 }, "\(gaps)")
      } else {
        #expect(gaps.allSatisfy { $0 > 4 }, "\(kind): \(gaps)")
      }
    }
  }

  /// The whole procedure, on few seeds; `make oracles` takes twenty of each.
  @Test(.timeLimit(.minutes(2))) func theBottleneckIsRecovered() throws {
    let trials = try plantedTrials(.bottleneck, seeds: 0..<3)
    for trial in trials {
      #expect(trial.isRecovered, "\(trial.plant): \(trial.finding.bottleneck)")
      #expect(try #require(trial.alignment) > 0.9)
      #expect(try #require(trial.finding.size).recovery.low > 0.5)
    }
  }

  @Test(.timeLimit(.minutes(2))) func nothingIsFoundWhereNothingIs() throws {
    for kind in [Plant.Kind.diffuse, .removed] {
      for trial in try plantedTrials(kind, seeds: 0..<2) {
        #expect(trial.finding.bottleneck.isEmpty, "\(trial.plant): \(trial.finding.bottleneck)")
        // The diffuse model answers; it is tested, not left out.
        #expect(trial.finding.confirmed.isEmpty == (kind == .removed))
      }
    }
  }
}
