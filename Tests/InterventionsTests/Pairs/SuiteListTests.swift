// The package's own suite read as a list of pairs, and where the members of a pair differ.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Testing

@Suite struct SuiteListTests {
  @Test func theManifestIsAList() throws {
    // Tests run in the package's folder.
    let pairs = try RecordedPair.list(contentsOf: "data-manifests/evaluation.json")
    let suite = try PairSuite(manifest: "data-manifests/evaluation.json")
    #expect(pairs.count > 100)
    let known = Dictionary(uniqueKeysWithValues: suite.pairs.map { ($0.id, $0) })
    for pair in pairs {
      let own = known[pair.id]!
      #expect(pair.answer == own.answers.clean && pair.foil == own.answers.corrupt)
      #expect(pair.split == own.split && pair.group == own.group && pair.prompt == own.prompt)
      #expect(FileManager.default.fileExists(atPath: pair.clean))
      let changed = try #require(pair.changed)
      #expect(changed.clean.start == own.clean.phones[own.changedPhone].start)
      #expect(changed.clean.end == own.clean.phones[own.changedPhone].end)
    }
    #expect(Set(pairs.compactMap(\.split)).isSuperset(of: ["discovery", "validation"]))
    // Written as a list and read again, it is the same.
    let again = try RecordedPair(pairs[0].json)
    #expect(again.json == pairs[0].json && again.split == pairs[0].split)
  }

  @Test func thePairsDifferWhereTheirLabelsDo() throws {
    func pair(_ clean: String, _ corrupt: String) throws -> RecordedPair {
      func list(_ labels: String, _ step: Double) -> JSON {
        .array(
          labels.enumerated().map { i, label in
            [.string("\(label)"), .number(step * Double(i)), .number(step * Double(i + 1))]
          })
      }
      return try RecordedPair([
        "id": "a", "group": "g", "audio_clean": "a", "audio_corrupt": "b", "prompt": "",
        "answer": "x",
        "foil": "y", "segments_clean": list(clean, 10), "segments_corrupt": list(corrupt, 20),
      ])
    }
    let one = try #require(try pair("abcd", "abed").changed)
    #expect(one.clean == TimeSpan(20, 30) && one.corrupt == TimeSpan(40, 60))
    let several = try #require(try pair("abcd", "xbcy").changed)
    #expect(several.clean == TimeSpan(0, 40))
    #expect(try pair("abcd", "abcd").changed == nil)
  }

  @Test func swappedAnswersKeepWhatIsShared() throws {
    let answers = try Answers(answer: [1, 2, 3], foil: [1, 4])
    #expect(answers.swapped.shared == [1] && answers.swapped.answer == [4])
    #expect(answers.swapped.foil == [2, 3] && answers.swapped.swapped == answers)
  }
}

extension SuiteListTests {
  /// Under another task the same pairs have its prompt and whole answers; those whose members are not told
  /// apart by it are left out.
  @Test(arguments: [SpokenTask.transcription, .translation])
  func aManifestIsAskedAnotherTask(_ task: SpokenTask) throws {
    let pairs = try RecordedPair.list(contentsOf: "data-manifests/evaluation.json", task: task)
    let known = Dictionary(
      uniqueKeysWithValues: try PairSuite(manifest: "data-manifests/evaluation.json").pairs.map {
        ($0.id, $0)
      })
    let prompt = task == .transcription ? "transcribe:" : "translate:"
    #expect(pairs.count > 100)
    for pair in pairs {
      let own = known[pair.id]!
      #expect(pair.prompt == prompt && pair.answer != pair.foil)
      #expect(pair.answer == own.clean.questions.first { $0.prompt == prompt }?.answer)
      #expect(pair.foil == own.corrupt.questions.first { $0.prompt == prompt }?.answer)
    }
  }

  @Test func aListSaysItsOwnPrompts() throws {
    let path = FileManager.default.temporaryDirectory
      .appendingPathComponent("list-\(UUID().uuidString).json").path
    defer { try? FileManager.default.removeItem(atPath: path) }
    let pairs = try RecordedPair.list(contentsOf: "data-manifests/evaluation.json").prefix(1)
    try JSON.object(["pairs": .array(pairs.map(\.json))]).text
      .write(toFile: path, atomically: true, encoding: .utf8)
    #expect(try RecordedPair.list(contentsOf: path).count == 1)
    #expect(throws: CellError.self) {
      try RecordedPair.list(contentsOf: path, task: .transcription)
    }
  }
}
