// An interrupted evaluation: what was answered is not asked again, unless the model or what it is asked
// has changed.

import Foundation
import Synchronization
import Testing

@testable import reproduce

@Suite struct ScoreJournalTests {
  @Test func answersAreKeptAsLongAsNothingHasChanged() throws {
    let root = FileManager.default.temporaryDirectory
      .appendingPathComponent("score-journal-\(UUID().uuidString)").path
    defer { try? FileManager.default.removeItem(atPath: root) }
    for folder in ["model", "data-manifests"] {
      try FileManager.default.createDirectory(
        atPath: "\(root)/\(folder)", withIntermediateDirectories: true)
    }
    func write(_ text: String, _ path: String) throws {
      try Data(text.utf8).write(to: URL(fileURLWithPath: "\(root)/\(path)"))
    }
    try write("weights", "model/projector.safetensors")
    try write("sentences", "data-manifests/evaluation.json")
    struct Interruption: Error {}
    /// How many items are computed anew.
    func asked(_ set: String = "evaluation", stopping: Bool = false) throws -> Int {
      let journal = try ScoreJournal("m", root: root, folders: ["\(root)/model"])
      let computed = Atomic(0)
      do {
        let items = (0..<6).map(String.init)
        let values = try journal(set, items, key: \.self) { item in
          if stopping, item == items.last { throw Interruption() }
          computed.add(1, ordering: .relaxed)
          return Answer(kind: .transcription, prompt: "p", expected: "e", said: item)
        }
        #expect(!stopping && values.map(\.said) == items)
      } catch { #expect(stopping, "\(error)") }
      return computed.load(ordering: .relaxed)
    }
    let before = try asked(stopping: true)
    #expect(before > 0)
    #expect(try asked() == 6 - before)
    #expect(try asked() == 0)
    #expect(try asked("never-heard") == 6)
    try write("other weights", "model/projector.safetensors")
    #expect(try asked() == 6)
    try write("other sentences", "data-manifests/evaluation.json")
    #expect(try asked() == 6)
    #expect(try asked() == 0)
    try ScoreJournal("m", root: root, folders: ["\(root)/model"]).remove()
    #expect(try asked() == 6)
  }
}
