// Lenses on a recogniser: layers that can be counted by hand, and on a published model, where it is there, what
// the lens at the last layer and an exchange there must say.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).appendingPathComponent("../../../..")
  .standardized.path
private let tiny: String? = {
  let folder = "\(root)/build/models/whisper-tiny.en"
  return FileManager.default.fileExists(atPath: "\(folder)/model.bin") ? folder : nil
}()

private func reading(_ json: String) throws -> WhisperLensReading {
  try JSONDecoder().decode(WhisperLensReading.self, from: Data(json.utf8))
}

@Suite struct WhisperLensTests {
  @Test func aTokenIsSettledWhereItStaysWhatItIs() {
    #expect(settledLayer([false, false, false, true]) == 4)
    #expect(settledLayer([true, true, true, true]) == 1)
    // One that is left again is settled where it comes back.
    #expect(settledLayer([true, false, true, true]) == 3)
    #expect(settledLayer([true]) == 1)
    // One that is never there, as of an exchange that fails, is not settled earlier than at the end.
    #expect(settledLayer([false, false, false]) == 3)
  }

  @Test func theLastThirdBeginsBehindTwoThirds() {
    #expect((1...6).map { isLate($0, of: 6) } == [false, false, false, false, true, true])
    #expect((1...4).map { isLate($0, of: 4) } == [false, false, true, true])
  }

  /// Two recordings of three layers: of the four tokens that have one beside them the lens has one settled
  /// early, the control none; the exchange is asked of two.
  @Test func sharesCountTokens() throws {
    func token(_ own: [Bool], _ blind: [Bool]?, _ carried: [Bool]?) -> String {
      func list(_ x: [Bool]?) -> String { x.map { "\($0)" } ?? "null" }
      return "{\"own\": \(own), \"blind\": \(list(blind)), \"carried\": \(list(carried))}"
    }
    let late = [false, false, true]
    let first = [
      token([true, true, true], late, late), token([false, false, true], late, nil),
      token([true, true, true], nil, nil),
    ]
    let second = [
      token([true, false, true], late, [false, true, true]), token(late, late, nil),
    ]
    func recording(_ tokens: [String], _ errors: [Int]) throws -> WhisperLensReading {
      try reading(
        """
        {"tokens": [\(tokens.joined(separator: ","))], "words": 5, "errors": \(errors),
         "strangerErrors": 4, "isExact": true}
        """)
    }
    let readings = [try recording(first, [7, 3, 1]), try recording(second, [5, 3, 0])]
    let summary = try WhisperLensSummary(
      readings, groups: ["a", "b"], draws: 50, Random(seed: 1))
    #expect(summary.late.own.value == 0.75 && summary.late.blind.value == 1)
    #expect(summary.late.carried.value == 0.5)
    #expect(abs(summary.depth.own.value - (1 + 3 + 3 + 3) / 12.0) < 1e-12)
    #expect(summary.depth.blind.value == 1)
    #expect(abs(summary.depth.carried.value - 5 / 6.0) < 1e-12)
    #expect(summary.errors.map(\.value) == [1.2, 0.6, 0.1] && summary.stranger.value == 0.8)
    #expect(throws: CellError.self) {
      try WhisperLensSummary(readings, groups: ["a"], draws: 50, Random(seed: 1))
    }
    #expect(throws: CellError.self) {
      try WhisperLensSummary([], groups: [], draws: 50, Random(seed: 1))
    }
    let alone = try recording([token(late, nil, nil)], [1, 1, 1])
    #expect(throws: CellError.self) {
      try WhisperLensSummary([alone], groups: ["a"], draws: 50, Random(seed: 1))
    }
  }

  /// Two recordings of the suite: the last layer is the usual transcript, in both lenses; a token goes with its
  /// residual stream behind the last layer; the control is what the other recording's own lens reads.
  @Test(.enabled(if: tiny != nil)) func theLastLayerIsTheTranscript() throws {
    let recogniser = try Recogniser(folder: tiny!)
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let voice = suite.utterances.filter { $0.split == "validation" }
    let recordings = voice.recordings(2, joining: 1, root: root)
    let found = try recogniser.lenses(recordings[0], recordings[1], limit: 24, asked: 2)
    #expect(found.count == 2)
    for reading in found {
      #expect(reading.isExact && reading.errors.count == 4)
      #expect(reading.tokens.allSatisfy { $0.own.count == 4 && $0.own.last == true })
      #expect(reading.tokens.compactMap(\.blind).allSatisfy { $0.last == true })
      let carried = reading.tokens.compactMap(\.carried)
      #expect((1...2).contains(carried.count) && carried.allSatisfy { $0.last == true })
    }
    // Exchanged, the two are each other's control.
    let turned = try recogniser.lenses(recordings[1], recordings[0], limit: 24, asked: 2)
    #expect(turned[1].tokens == found[0].tokens && turned[1].errors == found[0].errors)
    // With itself beside it no token differs, so that there is nothing to compare.
    let same = try recogniser.lenses(recordings[0], recordings[0], limit: 24)
    #expect(same[0].tokens.allSatisfy { $0.blind == nil && $0.carried == nil })
    #expect(same[0].strangerErrors == same[0].errors.last)
    #expect(throws: CellError.self) {
      try recogniser.lenses(recordings[0], recordings[1], limit: 0)
    }
  }
}
