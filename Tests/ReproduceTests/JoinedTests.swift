// What the projector between two published halves is trained on.

import Corpus
import Foundation
import Speech
import Tensor
import Testing

@testable import reproduce

@Suite struct JoinedTests {
  /// Another model than the shipped one never lands in the shipped one's folder.
  @Test func anotherWayOfJoiningNeedsAFolder() throws {
    for option in [["--layers-beside"], ["--goes-on"], ["--rank", "8"], ["--silence", "0.5"]] {
      #expect(throws: (any Error).self) { try Join.parse(option) }
      #expect(throws: Never.self) { try Join.parse(option + ["--out", "x"]) }
    }
    for bad in [["--rank", "65"], ["--rank", "-1"], ["--silence", "nan"]] {
      #expect(throws: (any Error).self) { try Join.parse(bad + ["--out", "x"]) }
    }
    let arms = Projectors.arms(steps: 7)
    #expect(arms.allSatisfy { $0.joining.steps == 7 })
    #expect(Set(arms.map(\.name)).count == 4 && Set(arms.map { "\($0.joining)" }).count == 4)
    #expect(arms.allSatisfy { $0.joining.goesOn && $0.joining.rate < Joining().rate })
  }

  @Test func natsAreCountedByTokens() throws {
    func score(_ nats: [Double], right: [Bool]) -> ProjectorScore {
      var score = ProjectorScore()
      score.transcripts = [
        (
          "set",
          zip(zip(nats, right), [2, 4, 2]).map { Told(isRight: $0.1, nats: $0.0, tokens: $1) }
        )
      ]
      score.choices = [("set", [true, true, false, true])]
      return score
    }
    let first = score([1, 2, 1], right: [true, false, true])
    let other = score([2, 2, 0.4], right: [false, false, true])
    let rows = other.lines("other", beside: first).map {
      $0.split(separator: "\t").map(String.init)
    }
    #expect(
      rows.map { $0[1] } == [
        "set | transcription", "set | nats a token", "set | nats a token above that alone",
        "set | choice",
      ])
    #expect(rows[0][2...3] == ["1", "3"] && rows[3][2...3] == ["3", "4"])
    #expect(abs(Double(rows[1][2])! - 0.55) < 1e-12)
    #expect(abs(Double(rows[2][2])! - 0.05) < 1e-12)
    let own = first.lines("first", beside: nil)
    #expect(own.count == 3 && own.allSatisfy { $0.components(separatedBy: "\t").count == 7 })
  }

  private var questions: [reproduce.Question] {
    let texts = [
      "say the red pat again", "red pat and blue cap", "bat then cap then lake",
      "pat two and cap nine", "one two three",
    ]
    let manner = Manner(speaker: "kal", isAsking: true, rate: 0.8)
    let free = [
      "anna bought eleven chairs in spain", "the doctor lifted the tiny sofa on friday",
    ]
    return texts.flatMap { Sentence(text: $0)!.questions } + manner.questions
      + free.flatMap { FreeSentence(text: $0)!.questions }
  }

  @Test func everyQuestionHasWordingsThatAreNotTrained() {
    #expect(Set(questions.map(\.kind)).count == reproduce.Question.Kind.allCases.count)
    for question in questions {
      let wordings = Wordings(question)
      #expect(wordings.trained.count > 3 && wordings.unseen.count == 2)
      #expect(Set(wordings.all).count == wordings.all.count, "\(question)")
      #expect(
        wordings.all.allSatisfy { !$0.contains("  ") && !$0.contains(":") || $0.contains(": ") })
    }
  }

  @Test func wordingsNameWhatIsAskedAbout() {
    for question in questions {
      let words = question.prompt.dropLast().split(separator: " ").map(String.init)
      let names: [String]
      switch question.kind {
      case .colourOf, .thingOf, .countOf: names = [words.last!]
      case .position: names = [words[1]] + (words[0] == "which" ? [] : [words[0]])
      default: names = []
      }
      for wording in Wordings(question).all {
        #expect(names.allSatisfy { wording.contains($0) }, "\(wording)")
        // The answer is not given away.
        if question.kind == .colourOf || question.kind == .countOf {
          #expect(!wording.contains(" \(question.answer)"), "\(wording)")
        }
      }
    }
  }

  @Test func targetsAreTheAnswersOfEachBranch() {
    let example = JoinedExample(
      heard: Tensor([3, 2]), trunk: [7, 8, 9],
      branches: [
        (instruction: [1, 2], answer: [30, 31, 5]), (instruction: [4], answer: [40, 5]),
      ])
    #expect(example.prompt.tokens == [7, 8, 9, 1, 2, 30, 31, 4, 40])
    // Behind the last token of an instruction, and behind each token of an answer.
    #expect(example.targets.map(\.position) == [4, 5, 6, 7, 8])
    #expect(example.targets.map(\.token) == [30, 31, 5, 40, 5])
    #expect(example.prompt.positions == [0, 1, 2, 3, 4, 5, 6, 3, 4])
  }

  @Test func whatIsReadStandsInThePlaceOfTheSound() throws {
    let folder = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
      .appendingPathComponent("../../artifacts/qwen2-audio-small").standardized.path
    let speech = try SpeechModel(folder: folder)
    func logits(_ hearing: reproduce.Hearing, _ said: [Int] = []) throws -> [Float] {
      try speech.nextLogits(to: "first thing:", saying: said, hearing: hearing)
    }
    let prompt = try PromptTemplate().tokens("first thing:", for: speech.config, speech.tokenizer)
    let words = try speech.textTokens("red pat")
    let place = try #require(prompt.firstIndex(of: speech.config.sound.placeholder))
    let (before, behind) = (Array(prompt[..<place]), Array(prompt[(place + 1)...]))
    func last(_ tokens: [Int]) throws -> [Float] {
      let all = try speech.model.logits(ofText: tokens)
      return gatherRows(all, [all.rows - 1]).numbers
    }
    #expect(try logits(.read("red pat")) == last(before + words + behind))
    #expect(try logits(.read("red pat"), words) == last(before + words + behind + words))
    #expect(try logits(.nothing) == last(before + behind))
    #expect(try logits(.read("red pat")) != logits(.read("red bat")))
  }

  @Test func questionsOfTheSuiteAreAskedInTrainedAndInUnseenWordings() {
    for question in questions {
      let (trained, unseen) = (Asking.trained(question), Asking.unseen(question))
      #expect(trained.answer == question.answer && unseen.kind == question.kind)
      #expect(Wordings(question).trained.contains(trained.prompt))
      #expect(Wordings(question).unseen.contains(unseen.prompt))
      #expect(trained.prompt != unseen.prompt)
    }
  }
}
