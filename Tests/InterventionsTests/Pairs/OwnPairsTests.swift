// A reader's own manifest of pairs: where its recordings are found, and what is refused in one line.

import Foundation
import Interventions
import Notebook
import Testing

@Suite struct OwnPairsTests {
  /// A manifest of one pair in a folder of its own, of which tests change a part.
  final class Own {
    let folder = FileManager.default.temporaryDirectory.appendingPathComponent(UUID().uuidString)
    var path: String { folder.appendingPathComponent("lists/own.json").path }

    init(recordings: String = "lists") throws {
      try write("lists/own.json", Self.manifest())
      for name in ["a", "b"] { try write("\(recordings)/\(name).wav", name) }
    }

    deinit { try? FileManager.default.removeItem(at: folder) }

    func write(_ name: String, _ text: String) throws {
      let file = folder.appendingPathComponent(name)
      try FileManager.default.createDirectory(
        at: file.deletingLastPathComponent(), withIntermediateDirectories: true)
      try Data(text.utf8).write(to: file)
    }

    static func manifest(
      file: String = "", corruptEnd: Int = 1600, pair: String = "", split: String = "discovery"
    ) -> String {
      func utterance(_ name: String, end: Int) -> String {
        """
        {"id": "\(name)", "file": "\(file)\(name).wav", "text": "say \(name)", "voice": "v",
         "split": "\(split)", "phones": [["\(name)", 0, \(end)]], "questions": []}
        """
      }
      return """
        {"sampleRate": 16000, "utterances": [\(utterance("a", end: 1600)),
          \(utterance("b", end: corruptEnd))],
         "pairs": [{"id": "p", "clean": "a", "corrupt": "b", "prompt": "which:",
           "answers": ["a", "b"], "changedPhone": 0, "slot": "s", "group": "g"\(pair)}]}
        """
    }
  }

  @Test func recordingsLieBesideTheManifestOrBelowTheFolderAboveIt() throws {
    let beside = try Own()
    let own = try OwnPairs(manifest: beside.path)
    #expect(own.root == beside.folder.appendingPathComponent("lists").path)
    #expect(own.suite.pairs.map(\.id) == ["p"])
    #expect(own.manifest == Digest(of: Own.manifest()))
    let above = try Own(recordings: "sounds")
    try above.write("lists/own.json", Own.manifest(file: "sounds/"))
    #expect(try OwnPairs(manifest: above.path).root.hasSuffix("lists/.."))
    try above.write(
      "lists/own.json", Own.manifest(file: "\(above.folder.path)/sounds/"))
    #expect(try OwnPairs(manifest: above.path).root == "")
  }

  @Test func theDigestFollowsEveryRecording() throws {
    let files = try Own()
    let before = try OwnPairs(manifest: files.path).audio
    #expect(try OwnPairs(manifest: files.path).audio == before)
    try files.write("lists/b.wav", "c")
    #expect(try OwnPairs(manifest: files.path).audio != before)
  }

  @Test func aSplitWithoutPairsIsNamed() throws {
    let files = try Own()
    let own = try OwnPairs(manifest: files.path)
    try own.demand(["discovery"], of: files.path)
    let error = #expect(throws: CellError.self) {
      try own.demand(["discovery", "test"], of: files.path)
    }
    #expect(error?.description.hasPrefix("\(files.path): no pair is of the split test,") == true)
    #expect(error?.description.contains("\"split\": \"test\"") == true)
  }

  @Test(
    arguments: [
      (nil, "there is no such file; an experiment takes a manifest"),
      ("audio_clean,audio_corrupt\n", "not JSON"),
      ("{\"pairs\": []}", "has no \"utterances\"; an experiment takes a manifest"),
      (
        "{\"pairs\": [{\"audio_clean\": \"a.wav\"}]}", "is a list of tap pairs, for tap map --pairs"
      ),
      ("{\"sampleRate\": 1, \"utterances\": [], \"pairs\": []}", "has no pairs"),
      (Own.manifest(corruptEnd: 1700), "p: the members are not aligned"),
      (
        Own.manifest(pair: ", \"alignment\": \"linear\""),
        "p: its members have other boundaries (linear)"
      ),
      (Own.manifest(pair: ", \"factor\": \"speaker\""), "p: its members say the same (speaker)"),
      (Own.manifest(file: "gone/"), "a: there is no file gone/a.wav below the current folder"),
    ] as [(String?, String)])
  func whatCannotBeMappedIsSaid(text: String?, words: String) throws {
    let files = try Own()
    if let text {
      try files.write("lists/own.json", text)
    } else {
      try FileManager.default.removeItem(atPath: files.path)
    }
    let error = #expect(throws: (any Error).self) { try OwnPairs(manifest: files.path) }
    let message = error.map { "\($0)" } ?? ""
    #expect(message.hasPrefix(files.path) && message.contains(words), "\(message)")
    #expect(!message.contains("\n"))
  }

  // ## Checkpoints

  @Test func aCheckpointHasTheDigestOfItsFiles() throws {
    let files = try Own()
    let folder = files.folder.appendingPathComponent("lists").path
    let before = try Digest(ofCheckpoint: folder)
    try files.write("lists/.hidden", "x")
    #expect(try Digest(ofCheckpoint: folder) == before)
    try files.write("lists/a.wav", "x")
    #expect(try Digest(ofCheckpoint: folder) != before)
    let error = #expect(throws: CellError.self) { try Digest(ofCheckpoint: "\(folder)/gone") }
    #expect(error?.description.hasPrefix("\(folder)/gone: there is no such folder") == true)
    #expect(throws: CellError.self) { try Digest(ofCheckpoint: files.path) }
  }

  /// The checkpoint's weights may lie in other folders, which count as well.
  @Test func theFoldersOfPartsCount() throws {
    let files = try Own()
    for part in ["whisper", "qwen"] { try files.write("\(part)/weights", "x") }
    try files.write("joined/projector", "x")
    try files.write(
      "joined/parts.json",
      """
      {"encoder": {"folder": "../whisper"}, "language_model": {"folder": "../qwen"},
       "projector": {"file": "projector"}}
      """)
    let folder = files.folder.appendingPathComponent("joined").path
    let before = try Digest(ofCheckpoint: folder)
    try files.write("qwen/weights", "y")
    #expect(try Digest(ofCheckpoint: folder) != before)
  }
}
