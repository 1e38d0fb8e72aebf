// Manifests of pairs that are not what they should be, and pairs whose questions cannot be asked:
// the message names the file and the entry.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Testing

@Suite struct ManifestTests {
  static func utterance(_ id: String, _ changes: [String: JSON] = [:]) -> JSON {
    .object(
      [
        "id": .string(id), "file": .string("\(id).wav"), "text": "the boat", "voice": "kal",
        "split": "test", "phones": [["b", 0, 800], ["ow", 800, 1600]],
        "questions": [["what is the word", "boat"]],
      ].merging(changes) { $1 })
  }

  static func pair(_ changes: [String: JSON] = [:]) -> JSON {
    .object(
      [
        "id": "p1", "clean": "u1", "corrupt": "u2", "prompt": "what is the word",
        "answers": ["boat", "coat"], "changedPhone": 0, "slot": "s", "group": "g",
      ].merging(changes) { $1 })
  }

  let folder: Folder

  init() throws { folder = try Folder() }

  func suite(_ json: JSON) throws -> PairSuite {
    try PairSuite(manifest: folder.write("evaluation.json", json.text))
  }

  func manifest(
    first: [String: JSON] = [:], pair: [String: JSON] = [:], _ top: [String: JSON] = [:]
  )
    -> JSON
  {
    .object(
      [
        "sampleRate": 16_000, "pairs": [Self.pair(pair)],
        "utterances": [Self.utterance("u1", first), Self.utterance("u2")],
      ].merging(top) { $1 })
  }

  func refused(_ json: JSON, _ words: String..., at location: SourceLocation = #_sourceLocation) {
    let error = #expect(throws: (any Error).self, sourceLocation: location) { _ = try suite(json) }
    for word in ["\(folder.path)/evaluation.json: "] + words where error != nil {
      #expect("\(error!)".contains(word), "\(error!)", sourceLocation: location)
    }
  }

  @Test func readsWhatIsWhole() throws {
    let suite = try suite(manifest())
    #expect(suite.utterances.count == 2 && suite.pairs.count == 1)
    let pair = suite.pairs[0]
    #expect(pair.clean.phones[1].start == 50 && pair.clean.phones[1].end == 100)
    #expect(pair.answers == ("boat", "coat") && pair.onset == 0 && pair.voice == "kal")
    #expect(pair.clean.questions[0] == ("what is the word", "boat"))
  }

  @Test func headers() throws {
    #expect(throws: (any Error).self) { _ = try PairSuite(manifest: "\(folder.path)/none.json") }
    for json in [[], 3, [:], .null, "x"] as [JSON] { refused(json, "header") }
    refused(manifest(["sampleRate": 0]), "sampleRate")
    refused(manifest(["sampleRate": -16_000]), "sampleRate")
    refused(manifest(["sampleRate": "16 kHz"]), "sampleRate")
    refused(manifest(["utterances": [:]]), "\"utterances\" should be an array")
    refused(manifest(["pairs": .null]), "\"pairs\" should be an array")
    refused(manifest(["utterances": [3]]), "utterance 0")
    refused(manifest(["pairs": ["p"]]), "pair 0")
    let again = Self.utterance("u1")
    refused(manifest(["utterances": [again, again]]), "two utterances are called \"u1\"")
  }

  @Test(arguments: ["file", "text", "voice", "split", "phones", "questions"])
  func utterances(_ key: String) {
    refused(manifest(first: [key: .null]), "u1", "\"\(key)\"")
    refused(manifest(first: [key: 3]), "u1", "\"\(key)\"")
    for row in [
      [], ["b"], ["b", 0], ["b", 800, 0], ["b", -1, 800], [3, 0, 1], ["b", "0", 1], 3,
    ]
      as [JSON]
    where key == "phones" || (key == "questions" && row != .array([])) {
      refused(manifest(first: [key: [row]]), "u1", "\"\(key)\" should hold")
    }
  }

  @Test(arguments: [
    "clean", "corrupt", "prompt", "answers", "changedPhone", "slot", "group",
  ])
  func pairs(_ key: String) {
    refused(manifest(pair: [key: .null]), "p1", "\"\(key)\"")
    refused(manifest(pair: [key: [:]]), "p1", "\"\(key)\"")
  }

  @Test func pairsThatAreNone() {
    for answers in [
      ["boat", "boat"], ["boat"], [], ["boat", "coat", "goat"], ["boat", 3], [3, "boat", "coat"],
    ] as [JSON] {
      refused(
        manifest(pair: ["answers": answers]), "p1", "two answers that differ", answers.compactText)
    }
    refused(manifest(pair: ["clean": "u9"]), "p1", "no utterance \"u9\"")
    refused(manifest(pair: ["corrupt": "u1"]), "p1", "both members are \"u1\"")
    for phone in [-1, 2, 1 << 40] {
      refused(manifest(pair: ["changedPhone": .integer(phone)]), "p1", "aligned")
    }
    for phones in [[["b", 0, 800]], [["b", 0, 801], ["ow", 801, 1600]]] as [JSON] {
      refused(manifest(first: ["phones": phones]), "p1", "not aligned")
    }
  }

  @Test func otherPairs() throws {
    func entry(_ id: String, _ a: String, _ b: String, _ slot: String = "s") -> JSON {
      Self.pair(["id": .string(id), "answers": [.string(a), .string(b)], "slot": .string(slot)])
    }
    let suite = try suite(
      manifest([
        "pairs": [
          entry("1", "boat", "coat"), entry("2", "coat", "goat"), entry("3", "note", "vote", "t"),
          entry("4", "rope", "soap"), entry("5", "note", "vote"),
        ]
      ]))
    // The third pair has no other of its voice and slot: no control is better than a false one.
    let names = suite.pairs.map { try? suite.unrelated(to: $0).id }
    #expect(names == ["4", "4", nil, "5", "1"])
  }
}
