// AIR-Bench's form: what is read and refused, the suite's items, letters by permutation, and both scores
// of a text.

import Corpus
import Foundation
import Interventions
import JSON
import Speech
import Tensor
import Testing

private let root = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
  .deletingLastPathComponent().deletingLastPathComponent().deletingLastPathComponent().path

private func item(
  _ options: [String] = ["cat", "dog", "cow", "hen"], answer: String = "dog", id: String = "7",
  task: String = "T", path: String = "a.wav"
) throws -> AirBenchItem {
  try AirBenchItem(
    id: id, task: task, dataset: "d", path: path, question: "Which animal?", options: options,
    answer: answer)
}

@Suite struct AirBenchTests {
  // ## The file

  /// An item as published, with some fields changed, or taken away where nil.
  private func entry(_ changes: [String: JSON?] = [:]) -> JSON {
    var members: [String: JSON] = [
      "path": "x/1.wav", "question": "Which animal?", "choice_a": "cat", "choice_b": "dog",
      "choice_c": "cow", "choice_d": "hen", "answer_gt": "dog", "task_name": "Sound_AQA",
      "dataset_name": "zoo", "uniq_id": 17,
    ]
    for (field, value) in changes { members[field] = value }
    return .object(members)
  }

  private func read(_ entries: [JSON]) throws -> AirBench {
    let folder = try Folder()
    let path = try folder.write("Foundation_meta.json", JSON.array(entries).text)
    return try AirBench(contentsOf: path, recordings: folder.path)
  }

  @Test func publishedFieldsAreReadAndOptionsMayBeFewer() throws {
    let two = entry(["choice_c": .some(.null), "choice_d": nil, "uniq_id": "b-2"])
    let bench = try read([entry(), two])
    let first = bench.items[0]
    #expect(first.id == "17" && first.task == "Sound_AQA" && first.dataset == "zoo")
    #expect(first.path == "x/1.wav" && first.options == ["cat", "dog", "cow", "hen"])
    #expect(first.answer == 1)
    #expect(bench.items[1].options == ["cat", "dog"] && bench.items[1].id == "b-2")
  }

  @Test(arguments: [
    "path", "question", "choice_a", "choice_b", "answer_gt", "task_name", "dataset_name", "uniq_id",
  ])
  func aMissingOrMalformedFieldIsNamedWithItsItem(_ field: String) throws {
    for value in [JSON?.none, .some(.bool(true)), .some("")] {
      let error = #expect(throws: CellError.self) { try read([entry(), entry([field: value])]) }
      let text = error?.description ?? ""
      #expect(text.contains("\"\(field)\"") && text.contains("item 1"), "\(text)")
      #expect(field == "uniq_id" || text.contains("uniq_id 17"))
    }
  }

  @Test func whatIsNoSingleChoiceIsRefused() throws {
    for (field, value) in [
      ("answer_gt", "bird"), ("choice_a", "dog"), ("choice_c", " "), ("path", "../secret.wav"),
      ("path", "/etc/passwd"),
    ] {
      #expect(throws: CellError.self) { try read([entry([field: .string(value)])]) }
    }
    let gap = #expect(throws: CellError.self) { try read([entry(["choice_c": nil])]) }
    #expect(gap?.description.contains("choice_c") == true)
    #expect(throws: CellError.self) { try read([]) }
    #expect(throws: CellError.self) { try read([.integer(3)]) }
    #expect(throws: (any Error).self) {
      try AirBench(contentsOf: "/nowhere.json", recordings: "/nowhere")
    }
  }

  @Test func itemsWithoutRecordingsAreCountedAndStay() throws {
    let folder = try Folder()
    let grounding = entry(["task_name": "Audio_Grounding", "path": "g.wav"])
    let path = try folder.write("meta.json", JSON.array([entry(), grounding, entry()]).text)
    let place = "\(folder.path)/Audio_Grounding_zoo"
    try FileManager.default.createDirectory(atPath: place, withIntermediateDirectories: true)
    _ = try folder.write("Audio_Grounding_zoo/g.flac", "")
    let bench = try AirBench(contentsOf: path, recordings: folder.path)
    #expect(bench.items.count == 3 && bench.absent == 2 && bench.repeated == 1)
    #expect(bench.recordings == [nil, "\(place)/g.flac", nil])
  }

  @Test func answersOfAModelAreReadLineByLine() throws {
    let folder = try Folder()
    func line(_ response: JSON?) -> String { entry(["response": response]).compactText + "\n" }
    let path = try folder.write("r.jsonl", line("B.") + "\n" + line(.some(.null)))
    let read = try AirBench.responses(contentsOf: path)
    #expect(read.map(\.response) == ["B.", nil] && read[0].item.answer == 1)
    for bad in [line(nil), line(3), "{}\n", "no\n", ""] {
      let path = try folder.write("bad.jsonl", bad)
      #expect(throws: (any Error).self) { try AirBench.responses(contentsOf: path) }
    }
  }

  // ## The suite

  @Test func theSuitesItemsReadBackEqual() throws {
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pairs = suite.pairs.filter { $0.split == "validation" }
    let made = try suite.airBenchItems(of: pairs, Random(seed: 1))
    let again = try suite.airBenchItems(of: Array(pairs.reversed()), Random(seed: 1))
    #expect(made.map(\.item) == again.reversed().map(\.item))
    #expect(
      made.map(\.item.options)
        != (try suite.airBenchItems(of: pairs, Random(seed: 2))).map(\.item.options))
    let folder = try Folder()
    let path = try folder.write("meta.json", AirBench.metadata(made.map(\.item)))
    let bench = try AirBench(contentsOf: path, recordings: root)
    #expect(bench.items == made.map(\.item) && bench.absent == 0 && bench.repeated == 0)
    #expect(Set(made.map(\.item.answer)).count == 4)
  }

  /// The control differs from the item in its sound alone, and that says none of the options.
  @Test func onlyTheRightWordIsSaidAndTheUnrelatedRecordingSaysNone() throws {
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    for made in try suite.airBenchItems(of: suite.pairs, Random(seed: 1)) {
      let (item, pair) = (made.item, made.pair)
      #expect(Set(item.options).count == 4 && item.options[item.answer] == pair.answers.clean)
      #expect(item.options.contains(pair.answers.corrupt))
      let said = Set(pair.clean.text.split(separator: " ").map(String.init))
      #expect(item.options.filter(said.contains) == [pair.answers.clean])
      let other = Set(made.unrelated.text.split(separator: " ").map(String.init))
      #expect(other.isDisjoint(with: item.options))
      #expect(made.unrelated.voice == pair.voice && made.unrelated.split == pair.split)
    }
  }

  // ## Letters

  @Test func permutationsTurnTheOptionsBelowTheSameLetters() throws {
    let item = try item()
    #expect(
      item.prompt() == """
        Choose the most suitable answer from options A, B, C, and D to respond the question in next line, \
        you may only choose A or B or C or D.
        Which animal?
        A. cat
        B. dog
        C. cow
        D. hen
        """)
    #expect(item.prompt(1).hasSuffix("A. dog\nB. cow\nC. hen\nD. cat"))
    let two = try self.two().prompt()
    #expect(two.contains("options A and B to") && two.hasSuffix("A. cat\nB. dog"))
  }

  private func two() throws -> AirBenchItem { try item(["cat", "dog"]) }

  /// Rows by permutation, columns by option; a model that always says A, and one that hears.
  @Test func positionBiasIsTakenOutByPermutations() {
    let (yes, no) = (-0.1, -3.0)
    let biased = LetterChoice((0..<4).map { shift in (0..<4).map { $0 == shift ? yes : no } })
    #expect(biased.letters == [0, 0, 0, 0] && biased.chosen == [0, 1, 2, 3])
    #expect(biased.agreement == 0 && (0..<4).map(biased.credit) == [0.25, 0.25, 0.25, 0.25])
    #expect(biased.credit(0, permutation: 0) == 1 && biased.credit(0, permutation: 1) == 0)
    let hearing = LetterChoice((0..<4).map { _ in [no, yes, no, no] })
    #expect(hearing.letters == [1, 0, 3, 2] && hearing.agreement == 1)
    #expect((0..<4).map(hearing.credit) == [0, 1, 0, 0])
    // Three of four permutations choose option 1: 3 of 6 pairs of permutations agree.
    let mostly = LetterChoice([
      [no, yes, no, no], [no, yes, no, no], [yes, no, no, no], [no, yes, no, no],
    ])
    #expect(mostly.agreement == 0.5 && mostly.credit(1) == 1)
    #expect(abs(hearing.mass - (Elementary.exp(yes) + 3 * Elementary.exp(no))) < 1e-12)
  }

  @Test func theSummaryCountsEachRecordingWithItsOwnAnswer() throws {
    let (yes, no) = (-0.1, -3.0)
    func saying(_ option: Int) -> LetterChoice {
      LetterChoice((0..<4).map { _ in (0..<4).map { $0 == option ? yes : no } })
    }
    let items = try (0..<12).map { try item(answer: ["cat", "dog"][$0 % 2], id: "\($0)") }
    let readings = items.indices.map {
      ChoiceReading(
        heard: saying($0 < 9 ? items[$0].answer : 3),
        unrelated: saying($0 < 3 ? items[$0].answer : 2),
        words: [0, -1, -2, -3], unrelatedWords: [-3, -2, -1, 0], said: $0 < 6 ? "B" : "hmm B.")
    }
    let groups = items.indices.map { "g\($0)" }
    let found = try ChoiceSummary(items, readings, groups: groups, draws: 500, Random(seed: 1))
    #expect(found.letters.value == 0.75 && found.unrelated.value == 0.25)
    #expect(found.excess.value == 0.5 && found.agreement.value == 1)
    #expect(found.words?.value == 0.5 && found.unrelatedWords?.value == 0)
    #expect(found.unrelatedWords!.high > 0.2)
    #expect(found.byLetter == [0.25, 0.25, 0.25, 0.25])
    #expect(found.inOrder.value == 0.75 && found.single.value == 0.75)
    #expect(found.unrelatedInOrder.value == 0.25)
    #expect(found.letters.low < 0.75 && found.letters.high > 0.75)
    #expect(found.text.strict == 0.25 && found.text.published == 0.5)
    #expect(found.textExcess?.value == 0.25)
    let silent = try ChoiceSummary(
      items,
      readings.map {
        ChoiceReading(
          heard: $0.unrelated, unrelated: $0.unrelated, words: nil, unrelatedWords: nil, said: "")
      },
      groups: groups, draws: 500, Random(seed: 1))
    #expect(!silent.holds && silent.words == nil && silent.textExcess == nil)
    #expect(throws: CellError.self) {
      try ChoiceSummary(items, readings, groups: [], Random(seed: 1))
    }
    #expect(throws: CellError.self) { try ChoiceSummary([], [], groups: [], Random(seed: 1)) }
  }

  // ## A checkpoint

  @Test func wordsAreScoredAsTracesScoreThemAndLettersMustBeTokens() throws {
    let model = try SpeechModel(folder: "\(root)/artifacts/qwen2-audio-small")
    let suite = try PairSuite(manifest: "\(root)/data-manifests/evaluation.json")
    let pair = suite.pairs[0]
    let made = try suite.airBenchItems(of: [pair], Random(seed: 1))[0]
    let clip = try model.clip(pair.clean.waveform(root: root))
    let words = try model.wordChoice(made.item, clip, asking: pair.prompt)
    let question = try model.questions(for: pair, root: root).clean
    let expected = try model.model.trace(question).logitDifference
    let (right, foil) = (made.item.answer, made.item.options.firstIndex(of: pair.answers.corrupt)!)
    #expect(abs(words[right] - words[foil] - expected) < 1e-5)
    #expect(words.allSatisfy { $0 < 0 })
    let error = #expect(throws: (any Error).self) { try model.letterChoice(made.item, clip) }
    #expect("\(error.map { "\($0)" } ?? "")".contains("score the options by their words"))
    // Of several tokens: the chain rule, by a second way.
    let long = try item(
      ["\(pair.answers.clean) \(pair.answers.corrupt)", pair.answers.clean],
      answer: pair.answers.clean)
    let two = try model.wordChoice(long, clip, asking: pair.prompt)
    var input = ModelInput(clip: clip, tokens: try model.tokens(for: pair.prompt, clip: clip))
    let tokens = try [pair.answers.clean, pair.answers.corrupt].map { try model.textTokens($0)[0] }
    input.forced = [tokens[0]]
    let logits = try model.model.run(input, tap: nil).logits
    let row = (0..<logits.width).map { Double(logits[logits.rows - 1, $0]) }
    let norm = Elementary.log(row.reduce(0) { $0 + Elementary.exp($1) })
    #expect(abs(two[0] - two[1] - (row[tokens[1]] - norm)) < 1e-4)
    #expect(throws: (any Error).self) {
      try model.wordChoice(try item(["zyzzy", "pat"], answer: "pat"), clip, asking: pair.prompt)
    }
  }

  // ## Texts

  private static let readings: [(String, ParsedChoice, Int?)] = [
    ("B", ParsedChoice.letter(1), 1), ("B.", .letter(1), 1), (" (B)\n", .letter(1), 1),
    ("B: dog", .letter(1), 1), ("B. Dog.", .letter(1), 1), ("The answer is B.", .letter(1), 1),
    ("The correct answer is (C).", .letter(2), nil), ("dog", .text(1), nil),
    ("Dog.", .text(1), 3), ("B. cat", .unreadable, 1), ("A man is speaking", .unreadable, 0),
    ("Cow", .text(2), 2), ("Dogs bark", .unreadable, 3), ("b", .unreadable, nil),
    ("It is not B.", .unreadable, 1), ("E", .unreadable, nil), ("A or B", .unreadable, 0),
    ("None", .unreadable, nil), ("", .unreadable, nil), ("A", .letter(0), 0),
    ("the USA)", .unreadable, 0), ("Dr.", .unreadable, 3),
  ]

  @Test(arguments: readings)
  func strictAndPublishedReadings(_ text: String, _ strict: ParsedChoice, _ published: Int?) throws
  {
    #expect(try item().parsed(text) == strict)
    #expect(AirBenchItem.publishedLetter(text) == published)
  }

  @Test func thePublishedScorerDropsWhatItCannotRead() throws {
    let item = try item()
    let scores = TextScores(
      [("B", true), ("A man", true), ("dog", true), (nil, true), ("Bah, dunno", true)].map {
        (item: item, response: $0.0)
      })
    #expect(scores.items == 5 && scores.read == 1 && scores.right == 1 && scores.rightTexts == 1)
    #expect(scores.publishedCounted == 3 && scores.publishedRight == 2 && scores.misread == 2)
    #expect(scores.strict == 0.2 && scores.published! == 2.0 / 3)
    #expect(TextScores([(item: item, response: "dog")]).published == nil)
    #expect(TextScores([]).strict == nil)
    let tasks = TextScores.byTask([
      (item: try zoo(), response: "B"), (item: item, response: "A"),
    ])
    #expect(tasks.map(\.task) == ["T_d", "Z_d"] && tasks.map(\.scores.right) == [0, 1])
  }

  private func zoo() throws -> AirBenchItem { try item(task: "Z") }

  @Test func theLetterThatTwoOptionsLackIsUnreadable() throws {
    #expect(try two().parsed("C") == .unreadable)
    #expect(try two().parsed("B") == .letter(1))
  }
}
