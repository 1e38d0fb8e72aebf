// Transfers on the shipped checkpoint: whole subspaces do what whole activations do, nothing does nothing,
// and shares are counted as they are defined.

import Corpus
import Foundation
import Interventions
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

/// Every direction of an activation, and natural activations of all directions.
private func everything(_ width: Int) throws -> (subspace: Subspace, natural: Natural) {
  var identity = DoubleMatrix(rows: width, columns: width)
  for i in 0..<width { identity[i, i] = 1 }
  return (
    Subspace(orthonormal: identity),
    try Natural(DoubleMatrix(rows: 2 * width, columns: width, normal: Random(seed: 1)))
  )
}

@Suite struct TransferTests {
  let model: SpeechModel
  let suite: PairSuite
  let pair: MinimalPair

  init() throws {
    model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    suite = try PairSuite(manifest: "\(root)/data-manifests/factorial.json")
    pair = suite.pairs.first { $0.split == "validation" }!
  }

  @Test func bothDirectionsHaveTheirCounterfactuals() throws {
    let crossings = try Crossing.both(of: pair)
    for crossing in crossings {
      #expect(crossing.text.text == crossing.source.text)
      #expect(crossing.text.voice == crossing.base.voice)
      #expect(crossing.speaker.text == crossing.base.text)
      #expect(crossing.speaker.voice == crossing.source.voice)
      #expect(crossing.voices.source == crossing.source.voice)
      #expect(crossing.source.text.contains(crossing.words.source))
    }
    #expect(crossings[0].source.id == crossings[1].base.id)
    let plain = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json").pairs[0]
    #expect(throws: CheckpointError.self) { try Crossing.both(of: plain) }
  }

  @Test func aWholeSubspaceIsTheWholeActivation() throws {
    let crossings = try Crossing.both(of: pair)
    let others = try Crossing.both(of: suite.unrelated(to: pair))
    let (whole, natural) = try everything(128)
    let subspaces = TransferSubspaces(
      lexical: whole, voice: whole, lexicalNatural: natural, voiceNatural: natural)
    for (crossing, stranger) in zip(crossings, others) {
      let said = try #require(
        try model.transfer(
          crossing, subspaces, stranger: stranger, moment: 120, root: root, Random(seed: 2)))
      func arm(_ arm: TransferArm) -> Said { said.arms[arm.rawValue]! }
      #expect(arm(.own) == said.base)
      #expect(arm(.sound) == said.source)
      // Rounded once more on the way.
      for (part, all) in [(TransferArm.lexical, TransferArm.moment), (.everywhere, .sound)] {
        #expect(abs(arm(part).content - arm(all).content) < 1e-3)
        #expect(arm(part).transcript == arm(all).transcript)
      }
      #expect(arm(.besideLexical) == said.base && arm(.besideVoice) == said.base)
      #expect(arm(.lexical).content != said.base.content)
      #expect(said.base.transcript == crossing.base.text)
      #expect(said.text.transcript == crossing.text.text)
      #expect(said.base.speaker == crossing.base.voice)
      #expect(said.source.content > 0 && said.base.content < 0)
      #expect(arm(.wrongItem) != arm(.lexical))
    }
  }

  /// The same recordings and answers in other words, of the arms that are asked for.
  @Test func aCrossingCanBeAskedInOtherWords() throws {
    let spoken = try #require(pair.spoken)
    #expect(spoken.prompt == pair.spokenPrompt && spoken.prompt != pair.prompt)
    #expect(spoken.attribute?.prompt == "Who is speaking? One word.")
    #expect(spoken.attribute?.clean == pair.attribute?.clean)
    #expect(spoken.clean.id == pair.clean.id && spoken.answers == pair.answers)
    let (prompt, transcribe) = ("translate:", "who is speaking:")
    let asked = pair.asked(prompt, voice: "which thing:")
    let crossing = try Crossing.both(of: asked, transcribe: transcribe)[0]
    let stranger = try Crossing.both(of: suite.unrelated(to: pair))[0]
    let (whole, natural) = try everything(128)
    let subspaces = TransferSubspaces(
      lexical: whole, voice: whole, lexicalNatural: natural, voiceNatural: natural)
    let said = try #require(
      try model.transfer(
        crossing, subspaces, stranger: stranger, moment: 120, root: root,
        arms: [.base, .moment], Random(seed: 2)))
    #expect(Set(said.arms.keys) == ["base", "moment"])
    // Each answer is that to its own question.
    #expect(said.base.transcript == crossing.voices.base)
    let translated = try #require(
      crossing.base.questions.first { $0.prompt == "translate:" }
    ).answer
    #expect(said.base.word == translated)
  }

  /// The steps of a part's search give what the search gives at once, and nothing is trained where there
  /// are no sizes to train for.
  @Test func aPartIsFoundInSteps() throws {
    let path = "\(root)/paper/preregistration-transfer-published.json"
    let rules = try Preregistration(path)
    let fixed = try TransferRules(path)
    let phonemes = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pairs = ["discovery", "discovery", "validation"].enumerated().map { i, split in
      Array(
        phonemes.pairs.filter { $0.split == split && $0.prompt == "first thing:" }
          .dropFirst(8 * i).prefix(8))
    }
    let random = Random(seed: 4)
    let search = try #require(
      try model.search(.lexical, pairs, rules, fixed, root: root, random))
    #expect(search.methods == [.pca, .cca, .mean])
    let found = try search.study(of: search.methods.map { try search.curve(of: $0) })
    let once = try #require(try model.study(.lexical, pairs, rules, fixed, root: root, random))
    #expect(found.method == once.method && found.arbitrary == nil)
    #expect(found.curve.sufficiency == once.curve.sufficiency)
    #expect(found.subspace.patterns == once.subspace.patterns)
    #expect(found.asked == [8, 8, 8] && found.curves.count == 3)
    #expect(try fixed.most("crossings") == 12)
    #expect(throws: CheckpointError.self) { try fixed.most("pears") }
  }

  @Test func conditionsMeetAtTheCornersOfTheSimplex() throws {
    let (whole, _) = try everything(128)
    let map = try #require(
      try model.conditions(of: pair, lexical: whole, moment: 120, noise: 10, root: root))
    #expect(map.cells.count == 18)
    for cell in map.cells { #expect(abs(cell.lexical - cell.whole) < 1e-3) }
    for (c, condition) in [Condition.clean, .noise, .speaker].enumerated() {
      let corner = try #require(map.simplex.first { $0.weights[c] == 1 })
      let cell = try #require(
        map.cells.first {
          $0.source == condition && $0.base == .clean && $0.direction == "sufficiency"
        })
      #expect(abs(corner.patched - cell.whole) < 1e-3)
    }
    #expect(map.simplex.count == 15 && map.path.count == conditionSteps - 1)
    #expect(map.simplex.allSatisfy { abs($0.weights.reduce(0, +) - 1) < 1e-12 })
    let noisy = map.cells.first { $0.base == .noise }!
    #expect(map.cells.first { $0.base == .clean }!.baseRun != noisy.baseRun)
    let matrix = [map].matrix(with: [], \.whole)
    #expect(matrix[3].allSatisfy { $0 == nil })
    // Both directions count towards their own source, so that they do not cancel.
    let clean = map.cells.filter { $0.source == .clean && $0.base == .clean }
    let recoveries = clean.map { ($0.whole - $0.baseRun) / ($0.sourceRun - $0.baseRun) }
    let mean = try #require(matrix[0][0])
    #expect(recoveries.count == 2 && recoveries.min()! <= mean && mean <= recoveries.max()!)
    #expect([map].path.count == conditionSteps + 1)
  }

  @Test func probesReadWhoSpeaks() throws {
    let utterances = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json").utterances
      .filter { $0.split == "discovery" }
    // Every second sentence of either voice.
    let train = utterances.indices.filter { $0 % 2 == 0 }.map { utterances[$0] }
    let held = utterances.indices.filter { $0 % 2 == 1 }.map { utterances[$0] }
    #expect(Set(train.map(\.voice)).count == 2)
    #expect(Set(train.map(\.text)).isDisjoint(with: held.map(\.text)))
    let prompt = "who is speaking:"
    let probes = try model.voiceProbes(on: train, prompt: prompt, shrinkage: 0.1, root: root)
    let read = try model.voices(of: held, prompt: prompt, by: probes, root: root)
    #expect(read.count == 2)
    for site in read { #expect(zip(site, held).count { $0 == $1.voice } > held.count * 9 / 10) }
    // One label for both voices alike, so that there is nothing to read.
    let labels = train.indices.map { $0 % 2 == 0 ? "one" : "two" }
    let none = try model.voiceProbes(
      on: train, prompt: prompt, labels: labels, shrinkage: 0.1, root: root)
    let guessed = try model.voices(of: held, prompt: prompt, by: none, root: root)
    #expect(Set(guessed.joined()).isSubset(of: ["one", "two"]))
  }
}

@Suite struct TransferShareTests {
  private func said(_ transcript: String, _ word: String, _ speaker: String, _ content: Double)
    -> Said
  {
    Said(content: content, voice: 0, word: word, transcript: transcript, speaker: speaker)
  }

  private func item(_ group: String, lexical: Said) -> Transferred {
    Transferred(
      group: group, texts: .init(source: "red bat", base: "red pat"),
      words: .init(source: "bat", base: "pat"), voices: .init(source: "ann", base: "bob"),
      arms: [
        "base": said("red pat", "pat", "bob", -4), "lexical": lexical,
        "voice": said("red pat", "pat", "ann", -4),
      ],
      source: said("red bat", "bat", "ann", 4), text: said("red bat", "bat", "bob", 4),
      speaker: said("red pat", "pat", "ann", -4))
  }

  @Test func sharesAreCounted() throws {
    let items = [
      item("a", lexical: said("red bat", "bat", "bob", 4)),
      item("b", lexical: said("Red  bat.", "bat", "ann", 2)),
      item("c", lexical: said("red pat", "pat", "bob", 0)),
      item("d", lexical: said("blue hat", "hat", "bob", -4)),
    ]
    let shares = try #require(
      items.shares("lexical", draws: 100, Random(seed: 1)) { $0.arms["lexical"] })
    #expect(shares.sourceText.value == 0.5 && shares.baseText.value == 0.25)
    #expect(shares.sourceWord.value == 0.5)
    #expect(shares.baseVoice.value == 0.75 && shares.sourceVoice.value == 0.25)
    // Errors: 0, 0, 1 and 2 of 2 words each.
    #expect(shares.errors.value == 3.0 / 8)
    // Moves of 8, 6, 4 and 0 of 8 nats.
    #expect(shares.content.value == 18.0 / 32)
    #expect(items.shares("none", draws: 10, Random(seed: 1)) { $0.arms["none"] } == nil)
    let lexical = items.separation(.lexical, draws: 100, Random(seed: 2))
    #expect(lexical.cause.value == 0.5 && lexical.isolate.value == 0.75)
    #expect(abs(lexical.mean.value - 0.6) < 1e-12)
    let voice = items.separation(.voice, draws: 100, Random(seed: 2))
    #expect(voice.mean.value == 1)
    #expect(items.entering(minimumGap: 9).isEmpty && items.entering(minimumGap: 8).count == 4)
  }
}
