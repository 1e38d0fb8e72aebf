// Training of the recipes on a few made-up utterances: what a stage moves, where a warm start comes
// from, and that nothing depends on more than its name.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

@testable import reproduce

@Suite struct TrainingTests {
  static let folder = FileManager.default.temporaryDirectory
    .appendingPathComponent("training-tests-\(UUID().uuidString)")

  func preparation(_ recipe: Recipe) throws -> Preparation {
    let folder = Self.folder.appendingPathComponent("\(recipe.name)-\(UUID().uuidString)")
    defer { try? FileManager.default.removeItem(at: folder) }
    try writeDescription(of: recipe, to: folder)
    let config = try #require(
      try openConfig(folder: folder.path) as? any AudioLanguageConfig)
    return try Preparation(
      config, Tokenizer(contentsOf: folder.appendingPathComponent("tokenizer.json").path),
      endToken: Recipe.endToken)
  }

  /// Noise that is said to be sentences, with phones of 50 ms.
  static let utterances: [TrainingUtterance] = (0..<8).map { i in
    let sentence = Sentence(
      text: ["red bat and blue map", "van two and fan nine", "one two three"][i % 3])!
    let phones = ["pau"] + sentence.words.flatMap { Lexicon.word($0).phones } + ["pau"]
    var random = Random(seed: UInt64(i))
    let samples = (0..<(800 * phones.count)).map { _ in Int16(2000 * random.normal()) }
    return TrainingUtterance(
      sentence, manner: Manner(speaker: "kal", isAsking: false, rate: 1.2), samples: samples,
      phones: phones.enumerated().map { (name: $1, endSample: 800 * ($0 + 1)) })
  }

  func trained(_ recipe: Recipe, _ kind: Stage.Kind, steps: Int = 1) throws -> (
    before: Parameters, after: Parameters, training: Training
  ) {
    var training = Training(
      try preparation(recipe), recipe.auxiliary, Self.utterances, seed: 7)
    let before = training.parameters.mapValues { Tensor($0.shape, $0.numbers) }
    let stage = Stage(kind: kind, steps: steps, batch: 4, peakRate: 1e-3)
    let names = training.trained(stage)
    var optimiser = AdamW(parameters: names.map { training.parameters[$0]! })
    try training.run(stage, optimiser: &optimiser) { _, _, report in
      #expect(report.answerLoss.isFinite && report.auxiliaryLoss.isFinite)
      #expect(kind == .encoder || report.answers > 0)
      #expect(kind != .encoder || report.auxiliaryLoss > 0)
    }
    return (before, training.parameters, training)
  }

  func moved(_ run: (before: Parameters, after: Parameters, training: Training)) -> Set<String> {
    Set(run.after.keys.filter { run.after[$0]!.numbers != run.before[$0]!.numbers })
  }

  @Test(arguments: Recipe.all.map(\.name))
  func stagesMoveTheirParameters(_ name: String) throws {
    let recipe = try #require(Recipe.all.first { $0.name == name })
    let language = try preparation(recipe).config.languageModelParameters
    for kind in recipe.stages.map(\.kind) {
      let run = try trained(recipe, kind)
      let moved = moved(run)
      switch kind {
      case .binding, .languageModel:
        #expect(!moved.isEmpty && moved.isSubset(of: language), "\(kind)")
      case .encoder, .sound:
        #expect(!moved.isEmpty && moved.isDisjoint(with: language), "\(kind)")
      case .joint:
        #expect(!moved.isDisjoint(with: language) && !moved.isSubset(of: language))
        // The gradient comes as far as the sound.
        #expect(moved.contains { $0.hasSuffix("conv1.weight") })
      }
      #expect(!moved.contains { $0.hasSuffix("encoder.embed_positions.weight") })
    }
  }

  @Test func trainingIsAFunctionOfItsSeed() throws {
    let recipe = Recipe.all[0]
    let (first, second) = (
      try trained(recipe, .joint, steps: 2), try trained(recipe, .joint, steps: 2)
    )
    for (name, tensor) in first.after {
      let isSame = tensor.numbers == second.after[name]!.numbers
      #expect(isSame, "\(name)")
    }
  }

  @Test func warmStartsTakeEncoderAndLanguageModel() throws {
    let source = try preparation(Recipe.all[0]).config
    let given = source.randomParameters(Random(seed: 11))
    for recipe in Recipe.all where recipe.warmStart != nil {
      var training = Training(
        try preparation(recipe), recipe.auxiliary, Self.utterances, seed: 7)
      let own = training.preparation.config
      let connector = try #require(training.parameters.keys.first { $0.contains("proj") })
      let kept = training.parameters[connector]!.numbers
      try training.begin(with: source, given)
      for (mine, theirs) in [
        (own.headName, source.headName),
        (own.lmPrefix + "embed_tokens.weight", source.lmPrefix + "embed_tokens.weight"),
        (own.encoderPrefix + "layers.2.fc1.weight", source.encoderPrefix + "layers.2.fc1.weight"),
      ] {
        let isSame = training.parameters[mine]!.numbers == given[theirs]!.numbers
        #expect(isSame, "\(mine)")
      }
      if !connector.hasPrefix(own.encoderPrefix),
        !own.languageModelParameters.contains(connector)
      {
        let isSame = training.parameters[connector]!.numbers == kept
        #expect(isSame, "\(connector)")
      }
      var short = given
      short[source.headName] = nil
      #expect(throws: CheckpointError.self) { try training.begin(with: source, short) }
    }
  }

  /// Checkpoints of studies have names, folders and seeds of their own, and differ in what they say.
  /// An interrupted training goes on in another process, where a dictionary describes itself in another order.
  @Test func aRecipeIsKnownAgainInAnotherProcess() {
    func rebuilt(_ value: JSON) -> JSON {
      guard case .object(let members) = value else { return value }
      var other: [String: JSON] = [:]
      // A larger table has another order, as another process has.
      other.reserveCapacity(1000)
      for (name, member) in members { other[name] = rebuilt(member) }
      return .object(other)
    }
    for recipe in Recipe.all + TrainingStudy.allCases.flatMap(\.recipes) {
      let other = Recipe(
        name: recipe.name, architecture: recipe.architecture, connector: recipe.connector,
        config: rebuilt(recipe.config), auxiliary: recipe.auxiliary, warmStart: recipe.warmStart,
        stages: recipe.stages, seed: recipe.seed, oneOf: recipe.oneOf, study: recipe.study)
      #expect("\(other.config)" != "\(recipe.config)" && other.key == recipe.key)
    }
    let keys = (Recipe.all + TrainingStudy.allCases.flatMap(\.recipes)).map(\.key)
    #expect(Set(keys).count == keys.count)
  }

  @Test func studiesAreApart() throws {
    let all = TrainingStudy.allCases.flatMap(\.recipes)
    #expect(all.count == 15 && Set((all + Recipe.all).map(\.name)).count == 19)
    #expect(all.allSatisfy { $0.folder.hasPrefix("build/") && $0.seed != Recipe.all[0].seed })
    for recipe in TrainingStudy.seeds.recipes {
      #expect("\(recipe.stages)" == "\(Recipe.all[0].stages)" && recipe.oneOf == 1)
    }
    // Both arms take as many steps that hear, and as many without.
    for seed in [2, 3] {
      let steps = TrainingStudy.sizes.recipes.filter { $0.seed == seed }.map { recipe in
        [true, false].map { text in
          recipe.stages.filter { $0.isText == text }.reduce(0) { $0 + $1.steps }
        }
      }
      #expect(steps.count == 6 && Set(steps).count == 1)
    }
    for recipe in TrainingStudy.sizes.recipes where recipe.auxiliary == .nothing {
      #expect(!recipe.stages.contains { $0.kind == .encoder })
      for kind in recipe.stages.map(\.kind) {
        let run = try trained(recipe, kind)
        #expect(!moved(run).isEmpty, "\(kind)")
        #expect(!run.after.keys.contains { $0.hasPrefix("auxiliary") })
      }
    }
  }

  /// A smaller training set is part of a larger one, drawn by the seed; text is never cut.
  @Test func fewerAreHeard() throws {
    let preparation = try preparation(Recipe.all[0])
    func heard(oneOf: Int, seed: UInt64) -> Set<Int> {
      Set(
        Training(preparation, .frames, Self.utterances, oneOf: oneOf, seed: seed).heard)
    }
    let (all, half, quarter) = (
      heard(oneOf: 1, seed: 3), heard(oneOf: 2, seed: 3), heard(oneOf: 4, seed: 3)
    )
    #expect(all.count == 8 && half.count == 4 && quarter.count == 2)
    #expect(quarter.isSubset(of: half) && half.isSubset(of: all))
    #expect((4...9).contains { heard(oneOf: 2, seed: $0) != half })
  }

  /// A state that names what this run does not train is another run's, and changes nothing.
  @Test func aStrangersStateIsLeft() throws {
    let folder = Self.folder.appendingPathComponent(UUID().uuidString)
    defer { try? FileManager.default.removeItem(at: folder) }
    let state = TrainingState(folder: folder, name: "some", key: "key")
    let optimiser = AdamW(parameters: [])
    try state.write(
      stage: 0, step: 1, names: [],
      parameters: ["a": Tensor([2], [1, 2]), "b": Tensor([1], [3])], optimiser: optimiser)
    var own: Parameters = ["a": Tensor([2], [7, 8])]
    #expect(try state.read(into: &own) == nil && own["a"]!.numbers == [7, 8])
    var both: Parameters = [
      "a": Tensor([2], [7, 8]), "b": Tensor([1], [0]), "c": Tensor([1], [9]),
    ]
    #expect(try state.read(into: &both) != nil)
    #expect(both["a"]!.numbers == [1, 2] && both["c"]!.numbers == [9])
  }

  @Test func promptsAreThoseOfTheTemplate() throws {
    for recipe in Recipe.all {
      let preparation = try preparation(recipe)
      for question in ["how many van:", "translate:"] {
        let asked = try preparation.tokenizer.encode(question)
        #expect(
          try PromptTemplate().tokens(
            question, for: preparation.config, preparation.tokenizer)
            == preparation.before + asked + preparation.after)
      }
      #expect(preparation.before.count { $0 == preparation.config.sound.placeholder } == 1)
    }
  }

  @Test func checkpointsStaySmall() throws {
    for recipe in Recipe.all {
      let shapes = try preparation(recipe).config.parameterShapes.values
      // Two bytes a parameter, under 8 MB.
      #expect(2 * shapes.reduce(0) { $0 + $1.reduce(1, *) } < 8_000_000, "\(recipe.name)")
    }
  }

  @Test func labelsLieWhereTheWordsAre() throws {
    let preparation = try preparation(Recipe.all[0])
    let utterance = Self.utterances[0]
    let example = try Example(utterance, preparation, Random(seed: 3))
    let words = try #require(example.words)
    let said = words.filter { $0 != preparation.endToken }
    // Each word once and in order, over as many audio tokens of 40 ms as its phones take.
    let runs = said.indices.filter { $0 == 0 || said[$0] != said[$0 - 1] }.map { said[$0] }
    #expect(runs == example.said)
    // The pause behind the last word is 50 ms long; silence of a drawn length comes before the first.
    #expect(words.reversed().prefix { $0 == preparation.endToken }.count <= 2)
    #expect(words.prefix { $0 == preparation.endToken }.count > 3)
    let phones = try #require(example.phones)
    #expect(phones.reversed().prefix { $0 == 0 }.count <= 4)
    let first = Lexicon.word("red").phones.count * 50 / 40
    #expect(abs(said.prefix { $0 == example.said[0] }.count - first) <= 1)
    for (position, token) in example.targets(end: preparation.endToken) {
      let tokens = example.prompt.tokens
      // What follows a position is its target, or the end of a branch.
      #expect(
        token == preparation.endToken || tokens[position + 1] == token, "\(position) \(token)")
    }
  }
}

@Suite struct ScorecardTests {
  /// Where the recordings are absent, the table keeps what it said of them, of that checkpoint alone.
  @Test func theTableKeepsHumanRows() {
    var (heard, deaf) = (Scorecard(architecture: "Qwen2-Audio"), Scorecard(architecture: "SALMONN"))
    for isRight in [true, true, false] { heard.add(isRight, to: "human | theo | digits") }
    heard.add(true, to: "evaluation | kal | choice")
    deaf.add(false, to: "evaluation | kal | choice")
    var whole = AccuracyTable()
    whole.add("b", heard, earlier: nil)
    whole.add("a", heard, earlier: nil)
    let lines = whole.text.split(separator: "\n")
    #expect(lines.count == 5)
    #expect(lines[1].hasPrefix("a\tevaluation | kal | choice\t1\t1\t1.0\t"))
    #expect(lines[2].hasPrefix("a\thuman | theo | digits\t2\t3\t0.666"))
    var next = AccuracyTable()
    next.add("b", deaf, earlier: whole.text)
    let kept = next.text.split(separator: "\n")
    #expect(kept.count == 3 && kept[2] == lines[4])
    #expect(kept[1].hasPrefix("b\tevaluation | kal | choice\t0\t1\t0.0\t"))
  }

  /// Where only some sets are scored, the rows of the others stay as they were, and no row is there twice.
  @Test func theTableKeepsTheSetsThatAreNotScored() {
    var whole = Scorecard(architecture: "Qwen2-Audio")
    for set in ["evaluation", "evaluation with silence", "human"] {
      whole.add(true, to: "\(set) | all voices | choice")
    }
    var table = AccuracyTable()
    table.add("a", whole, earlier: nil)
    table.add("ab", whole, earlier: nil)
    var card = Scorecard(architecture: "Qwen2-Audio")
    card.add(false, to: "evaluation | all voices | choice")
    let earlier = table.text
    var next = AccuracyTable(keeping: earlier, but: ["a"], sets: ["evaluation"])
    next.add("a", card, earlier: earlier)
    let (before, after) = (
      earlier.split(separator: "\n"), next.text.split(separator: "\n")
    )
    #expect(before.count == after.count && Set(after).count == after.count)
    let changed = zip(before, after).filter { $0 != $1 }
    #expect(
      changed.count == 1 && changed[0].1.hasPrefix("a\tevaluation | all voices | choice\t0\t"))
  }

  @Test func tasksCountAlike() {
    var card = Scorecard(architecture: "Qwen2-Audio")
    func add(_ kind: reproduce.Question.Kind, right: Int, of trials: Int) {
      for i in 0..<trials {
        card.add(
          Answer(kind: kind, prompt: "", expected: "red bat", said: i < right ? "red bat" : "red"),
          to: "set | all voices")
      }
    }
    add(.transcription, right: 1, of: 2)
    add(.translation, right: 4, of: 4)
    add(.position, right: 3, of: 6)
    add(.colourOf, right: 0, of: 2)
    add(.speaker, right: 0, of: 5)
    // (1/2 + 1 + 3/8) / 3; questions about the voice are no task.
    #expect(abs(card.tasks("set | all voices") - 0.625) < 1e-12)
    #expect(card.errors["set | all voices"] == WordErrors(errors: 1, words: 4))
    #expect(card["set | all voices | translation"] == Count(right: 4, trials: 4))
    add(.position, right: 1, of: 1)
    card.add(true, to: "set | kal | choice")
    #expect(!card.table(brief: true).contains("kal") && card.table(brief: false).contains("kal"))
  }

  /// The shipped checkpoint, packed and one by one; with nothing to hear, members are the same.
  @Test func packedAnswersAreTheGreedyOnes() throws {
    let repository = try Repository()
    let speech = try SpeechModel(folder: repository.url(Recipe.all[0].folder).path)
    let suite = try PairSuite(
      manifest: repository.url("data-manifests/evaluation.json").path)
    var wrong = 0
    // Frame D, whose numbers are bound to things: some of those answers are wrong.
    for utterance in suite.utterances.filter({ $0.id.contains("d-first") }).prefix(6) {
      let wave = try utterance.waveform(root: repository.root.path)
      let clip = try speech.clip(wave)
      for answer in try speech.answers(utterance.asked, hearing: .sound(wave)) {
        let said = try speech.greedy(clip, prompt: answer.prompt)
        #expect(speech.tokenizer.decode(said) == answer.said, "\(answer)")
        wrong += answer.isRight ? 0 : 1
      }
    }
    #expect(wrong > 0, "both sides of the comparison should be seen")
    let deaf = try speech.answers(suite.utterances[0].asked, hearing: .nothing)
    #expect(deaf[0].said != deaf[0].expected)
  }
}
