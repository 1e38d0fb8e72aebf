// What the projector between two published halves is trained on.

import Corpus
import Foundation
import Speech
import Tensor
import Testing

@testable import reproduce

@Suite struct JoinedTests {
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
