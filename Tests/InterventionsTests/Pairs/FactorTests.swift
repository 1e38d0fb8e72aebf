// Manifests of factors other than the phoneme: what is read from them, what their sound is, and what
// is refused by name.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Testing

@Suite struct FactorTests {
  let folder: Folder

  init() throws { folder = try Folder() }

  func suite(
    _ utterances: [JSON], mixtures: [JSON]? = nil, pair: [String: JSON]
  ) throws -> PairSuite {
    var json: [String: JSON] = [
      "sampleRate": 16_000, "utterances": .array(utterances), "pairs": [ManifestTests.pair(pair)],
    ]
    json["mixtures"] = mixtures.map { .array($0) }
    return try PairSuite(manifest: folder.write("set.json", JSON.object(json).text))
  }

  func refused(
    _ words: String..., at location: SourceLocation = #_sourceLocation, by read: () throws -> Any
  ) {
    let error = #expect(throws: (any Error).self, sourceLocation: location) { _ = try read() }
    for word in words where error != nil {
      #expect("\(error!)".contains(word), "\(error!)", sourceLocation: location)
    }
  }

  /// A tone that starts and ends with silence.
  func tone(_ count: Int, _ step: Double) -> Waveform {
    Waveform(samples: (0..<count).map { Float(0.1 * sin(step * Double($0))).rounded(to: 15) })
  }

  // ## Recordings with silence around them

  @Test func paddingIsSilenceAroundTheRecording() throws {
    let wave = tone(800, 0.3)
    try wave.write(to: "\(folder.path)/u2.wav")
    let utterances = [
      ManifestTests.utterance("u1"), ManifestTests.utterance("u2", ["padding": [40, 20]]),
    ]
    let pair = try suite(utterances, pair: ["factor": "speaker", "alignment": "identity"]).pairs[0]
    #expect(pair.factor == .speaker && pair.alignment == .identity && !pair.factor.changesText)
    let heard = try pair.corrupt.waveform(root: folder.path).samples
    #expect(heard.count == 860)
    #expect(heard.prefix(40).allSatisfy { $0 == 0 } && heard.suffix(20).allSatisfy { $0 == 0 })
    #expect(Array(heard[40..<840]) == wave.samples)
    refused("u1", "u1.wav") { try pair.clean.waveform(root: folder.path) }
    for padding in [[40], [1, -1], "x", [1, 1_099_511_627_776]] as [JSON] {
      refused("u2", "\"padding\"") {
        try suite(
          [ManifestTests.utterance("u1"), ManifestTests.utterance("u2", ["padding": padding])],
          pair: [:])
      }
    }
  }

  // ## Mixtures

  func mixture(_ changes: [String: JSON] = [:]) -> JSON {
    .object(
      [
        "id": "m", "clean": "u1", "noise": "talker", "ratio": 5, "seed": "s",
        "talkers": ["u2.wav"],
      ].merging(changes) { $1 })
  }

  func noisy(_ changes: [String: JSON] = [:]) throws -> PairSuite {
    try suite(
      [ManifestTests.utterance("u1"), ManifestTests.utterance("u2")],
      mixtures: [mixture(changes)], pair: ["factor": "noise", "corrupt": "m"])
  }

  @Test func mixturesAreTheirCleanUtteranceInNoise() throws {
    try tone(3200, 0.3).write(to: "\(folder.path)/u1.wav")
    try tone(3200, 0.11).write(to: "\(folder.path)/u2.wav")
    let pair = try noisy().pairs[0]
    #expect(pair.factor == .noise && pair.corrupt.text == pair.clean.text)
    #expect(pair.corrupt.phones.map(\.end) == pair.clean.phones.map(\.end))
    let heard = try pair.corrupt.waveform(root: folder.path).samples
    let mix = NoiseMix(kind: .talker, ratio: 5, seed: "s", talkers: ["u2.wav"])
    let expected = try mix.mixed(tone(3200, 0.3).samples, name: "") { _ in
      tone(3200, 0.11).samples
    }
    #expect(heard == expected.map { Float($0) / 32768 })
    try FileManager.default.removeItem(atPath: "\(folder.path)/u2.wav")
    refused("u2.wav") { try pair.corrupt.waveform(root: folder.path) }
  }

  @Test func mixturesThatAreNone() {
    refused("m:", "no noise \"thunder\"", "white, pink") { try noisy(["noise": "thunder"]) }
    refused("m:", "no utterance \"u9\"") { try noisy(["clean": "u9"]) }
    refused("m:", "0 talkers") { try noisy(["talkers": []]) }
    refused("m:", "1 talkers do not make white") { try noisy(["noise": "white"]) }
    refused("m:", "\"talkers\"") { try noisy(["talkers": [3]]) }
    refused("m:", "\"ratio\"") { try noisy(["ratio": "loud"]) }
    refused("m:", "\"seed\"") { try noisy(["seed": .null]) }
    refused("two utterances are called \"u1\"") { try noisy(["id": "u1"]) }
  }

  // ## Digits

  @Test func digitsAreComposedFromRecordings() throws {
    let recordings = HumanRecordings(folder: folder.path)
    for name in ["0_george_0", "3_theo_1"] {
      let wave = Waveform(samples: tone(2400, 0.4).samples, rate: 8000)
      try wave.write(to: "\(folder.path)/\(name).wav")
    }
    let made = try recordings.string(of: ["0_george_0", "3_theo_1"], lead: 160, gap: 80)
    #expect(try recordings.samples(of: made.string) == made.samples)
    let parts = made.string.parts.map { part -> JSON in
      [.string(part.recording), .number(part.gain), .integer(part.length)]
    }
    func utterance(_ parts: JSON) -> JSON {
      ManifestTests.utterance(
        "u1", ["file": .null, "digits": ["lead": 160, "gap": 80, "parts": parts]])
    }
    func read(_ parts: JSON) throws -> Utterance {
      try suite([utterance(parts), ManifestTests.utterance("u2")], pair: ["factor": "digit"])
        .utterances[0]
    }
    let human = try read(.array(parts))
    #expect(human.isHuman && human.file == "0_george_0+3_theo_1")
    let heard = try human.waveform(root: "/nowhere", recordings: recordings).samples
    #expect(heard == made.samples.map { Float($0) / 32768 })
    if ProcessInfo.processInfo.environment[HumanRecordings.variable] == nil {
      refused("u1", HumanRecordings.absent) { try human.waveform(root: "/nowhere") }
    }
    for bad in [[], [["a/b", 1, 9]], [["a", 0, 9]], [["a", 1]], [["a", 1, 0]], "x"] as [JSON] {
      refused("u1") { try read(bad) }
    }
  }

  @Test func recordingsAreFoundWhereTheVariablePoints() throws {
    let (set, root) = ("\(folder.path)/data/fsdd", "\(folder.path)/package")
    func found(_ environment: [String: String]) -> String? {
      HumanRecordings.found(root: root, environment: environment)?.folder
    }
    #expect(found([:]) == nil && found(["TAP_DATA": "\(folder.path)/data"]) == nil)
    let fetched = "\(root)/\(HumanRecordings.fetched)"
    for place in [set, fetched] {
      try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
      _ = FileManager.default.createFile(atPath: "\(place)/0_george_0.wav", contents: nil)
    }
    #expect(found([:]) == fetched)
    #expect(found(["TAP_DATA": set]) == set && found(["TAP_DATA": "\(folder.path)/data"]) == set)
  }

  // ## Pairs

  @Test func factorsAndAlignments() throws {
    let stretched = ManifestTests.utterance("u2", ["phones": [["b", 0, 900], ["ow", 900, 2000]]])
    func read(_ second: JSON, _ pair: [String: JSON]) throws -> MinimalPair {
      try suite([ManifestTests.utterance("u1"), second], pair: pair).pairs[0]
    }
    let pair = try read(
      stretched,
      [
        "factor": "prosody", "alignment": "phones",
        "attribute": ["prompt": "fast or slow", "answers": ["fast", "slow"]],
      ])
    #expect(pair.attribute! == ("fast or slow", "fast", "slow") && pair.crossed == nil)
    refused("p1", "not aligned") { try read(stretched, [:]) }
    let other = ManifestTests.utterance("u2", ["phones": [["b", 0, 800], ["ay", 800, 1600]]])
    refused("p1", "not aligned") { try read(other, ["alignment": "phones"]) }
    #expect(try read(other, ["alignment": "linear"]).alignment == .linear)
    refused("p1", "\"factor\" is \"colour\"", "phoneme, homophone") {
      try read(stretched, ["factor": "colour"])
    }
    refused("p1", "\"alignment\" is \"none\"") { try read(stretched, ["alignment": "none"]) }
    for answers in [["fast", "fast"], ["fast"], [1, 2]] as [JSON] {
      refused("p1", "\"attribute\"") {
        try read(
          stretched,
          ["alignment": "phones", "attribute": ["prompt": "x", "answers": answers]])
      }
    }
  }

  @Test func factorialPairsHaveTheirCounterfactual() throws {
    let four = ["u1", "u2", "u3", "u4"].map { ManifestTests.utterance($0) }
    let keys: [String: JSON] = [
      "factor": "factorial", "crossedText": "u3", "crossedSpeaker": "u4",
    ]
    let pair = try suite(four, pair: keys).pairs[0]
    #expect(pair.crossed?.text.id == "u3" && pair.crossed?.speaker.id == "u4")
    refused("p1", "crossedText") { try suite(four, pair: ["factor": "factorial"]) }
    refused("p1", "no utterance \"u4\"") { try suite(Array(four.dropLast()), pair: keys) }
    let moved = ManifestTests.utterance("u3", ["phones": [["b", 0, 700], ["ow", 700, 1600]]])
    refused("p1", "not aligned") { try suite([four[0], four[1], moved, four[3]], pair: keys) }
  }
}

extension Float {
  /// The nearest multiple of 2^-bits, which 16-bit audio holds exactly.
  fileprivate func rounded(to bits: Int) -> Float {
    let scale = Float(1 << bits)
    return (self * scale).rounded() / scale
  }
}
