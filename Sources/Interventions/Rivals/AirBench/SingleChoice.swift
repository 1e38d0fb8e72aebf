// Single choice by the logits of option letters, over all cyclic permutations of the options
// (`paper/definitions.md`, D169), beside the same with an unrelated recording.

import JSON
import Speech
import Tensor

extension AirBenchItem {
  /// The options as a permutation offers them: its first letter stands for option `shift`.
  public func offered(_ shift: Int) -> [String] {
    options.indices.map { options[($0 + shift) % options.count] }
  }

  /// AIR-Bench's instruction, the question, and the options by letter. Where there are fewer than four,
  /// letters without an option are not named; the published prompt offers `None` under them.
  ///
  /// - Parameter shift: which cyclic permutation; 0 is the order of the file
  public func prompt(_ shift: Int = 0) -> String {
    let letters = AirBenchItem.letters.prefix(options.count)
    let all = letters.dropLast().joined(separator: ", ") + (letters.count > 2 ? "," : "")
    return
      "Choose the most suitable answer from options \(all) and \(letters.last ?? "") to respond the "
      + "question in next line, you may only choose \(letters.joined(separator: " or ")).\n"
      + question + "\n"
      + zip(letters, offered(shift)).map { "\($0). \($1)" }.joined(separator: "\n")
  }
}

/// What the letters' logits say of one item.
public struct LetterChoice: Codable, Hashable, Sendable {
  /// The log-probability of each option's letter, in nats over the whole vocabulary, by permutation and
  /// then by option in the order of the file.
  public let logProbabilities: [[Double]]

  public init(_ logProbabilities: [[Double]]) { self.logProbabilities = logProbabilities }

  /// The mean over permutations, by option.
  public var means: [Double] {
    logProbabilities[0].indices.map { option in
      logProbabilities.map { $0[option] }.reduce(0, +) / Double(logProbabilities.count)
    }
  }

  /// How much of a right answer the choice is: 1 over the number of options that are the most probable
  /// ones by their means, if the right one is among them, else 0. A model that prefers none gets what
  /// guessing gets.
  public func credit(_ answer: Int) -> Double { chosenCredit(means, answer) }

  /// The same of one permutation, 0 being the order of the file.
  public func credit(_ answer: Int, permutation: Int) -> Double {
    chosenCredit(logProbabilities[permutation], answer)
  }

  /// The option that each permutation chooses; the first in the file of equals.
  public var chosen: [Int] { logProbabilities.map { row in row.firstIndex(of: row.max()!)! } }

  /// The letter that each permutation chooses, by its place.
  public var letters: [Int] {
    chosen.enumerated().map { ($1 - $0 + chosen.count) % chosen.count }
  }

  /// The share of pairs of permutations that choose the same option: 1 where it stays whatever its
  /// letter, 0 where the same letter is always taken.
  public var agreement: Double {
    let (chosen, n) = (chosen, chosen.count)
    let same = (0..<n).reduce(0) { sum, i in sum + chosen[(i + 1)...].count { $0 == chosen[i] } }
    return Double(2 * same) / Double(n * (n - 1))
  }

  /// The probability that the answer begins with one of the letters, mean over permutations.
  public var mass: Double {
    logProbabilities.map { $0.reduce(0) { $0 + Elementary.exp($1) } }.reduce(0, +)
      / Double(logProbabilities.count)
  }
}

/// The credit for choosing the largest of some values.
func chosenCredit(_ values: [Double], _ answer: Int) -> Double {
  let best = values.max() ?? .nan
  return values[answer] == best ? 1 / Double(values.count { $0 == best }) : 0
}

/// One item, with its own recording and with an unrelated one.
public struct ChoiceReading: Codable, Hashable, Sendable {
  public let heard: LetterChoice
  /// The same prompts behind the unrelated recording.
  public let unrelated: LetterChoice
  /// The log-probability of each option's own words, in nats, where they were asked for.
  public let words: [Double]?
  public let unrelatedWords: [Double]?
  /// What the model says to the prompt in the order of the file.
  public let said: String

  public init(
    heard: LetterChoice, unrelated: LetterChoice, words: [Double]?, unrelatedWords: [Double]?,
    said: String
  ) {
    (self.heard, self.unrelated) = (heard, unrelated)
    (self.words, self.unrelatedWords, self.said) = (words, unrelatedWords, said)
  }
}

extension SpeechModel {
  /// Asks an item in all cyclic permutations, of its own and of an unrelated recording, and lets the model
  /// answer in the order of the file.
  ///
  /// - Parameters:
  ///   - words: a prompt without options, to which the options' own words are scored; nil for none
  ///   - limit: the most tokens of the answer
  /// - Throws: where a recording does not suit the model, a text has words that it does not know, or a
  ///   letter is no single token.
  public func choose(
    _ item: AirBenchItem, hearing wave: Waveform, unrelated: Waveform, words: String? = nil,
    limit: Int = 24
  ) throws -> ChoiceReading {
    let (own, other) = (try clip(wave), try clip(unrelated))
    return ChoiceReading(
      heard: try letterChoice(item, own), unrelated: try letterChoice(item, other),
      words: try words.map { try wordChoice(item, own, asking: $0) },
      unrelatedWords: try words.map { try wordChoice(item, other, asking: $0) },
      said: tokenizer.decode(
        try greedy(own, prompt: item.prompt(), limit: limit), skippingSpecialTokens: true))
  }

  /// The letters' log-probabilities at the first position of the answer.
  ///
  /// - Parameter together: whether all permutations are read in one pass, which computes once what their
  ///   prompts begin with alike; else each by itself, which differs by rounding
  public func letterChoice(_ item: AirBenchItem, _ clip: Clip, together: Bool = true) throws
    -> LetterChoice
  {
    let count = item.options.count
    let letters = try AirBenchItem.letters.prefix(count).map { letter -> Int in
      let tokens =
        try tokenizer.unknownWords(in: letter).isEmpty
        ? tokenizer.encode(letter, addingSpecialTokens: false) : []
      guard tokens.count == 1 else {
        throw CellError(
          "\(folder): the option letter \(letter) is no token of its own, so letters cannot be "
            + "compared; score the options by their words")
      }
      return tokens[0]
    }
    let prompts = try (0..<count).map { try tokens(for: item.prompt($0), clip: clip) }
    func read(_ shifts: Range<Int>) throws -> [[Double]] {
      let own = prompts[shifts]
      let first = own[shifts.lowerBound]
      let shared = first.indices.prefix { i in
        own.allSatisfy { i < $0.count - 1 && $0[i] == first[i] }
      }.count
      var input = ModelInput(clip: clip, tokens: Array(first.prefix(shared)))
      input.continuations = own.map { Array($0.dropFirst(shared)) }
      let logits = try nextLogits(input) { ends in ends }
      return shifts.map { shift in
        let row = LogProbabilities(logits, row: shift - shifts.lowerBound)
        return (0..<count).map { row[letters[($0 - shift + count) % count]] }
      }
    }
    return LetterChoice(
      together ? try read(0..<count) : try (0..<count).flatMap { try read($0..<($0 + 1)) })
  }

  /// The log-probability of each option's words as what the answer begins with, in nats: the sum over
  /// their tokens, teacher-forced.
  ///
  /// - Parameter prompt: what is asked, without the options
  public func wordChoice(_ item: AirBenchItem, _ clip: Clip, asking prompt: String) throws
    -> [Double]
  {
    let answers = try item.options.map { option in
      _ = try textTokens(option)
      return try tokenizer.encode(option, addingSpecialTokens: false)
    }
    if let empty = answers.firstIndex(where: \.isEmpty) {
      throw CellError("\(folder): the option \(quoted(item.options[empty])) has no tokens")
    }
    var input = ModelInput(clip: clip, tokens: try tokens(for: prompt, clip: clip))
    input.continuations = answers.map { Array($0.dropLast()) }.filter { !$0.isEmpty }
    let counts = answers.map { $0.count - 1 }
    // The prompt's last position, then all of the continuations'.
    let rows = try nextLogits(input) { _ in nil }
    return answers.indices.map { option in
      let first = 1 + counts[..<option].reduce(0, +)
      let places = [0] + (first..<(first + counts[option]))
      return zip(places, answers[option]).reduce(0.0) { sum, next in
        sum + LogProbabilities(rows, row: next.0)[next.1]
      }
    }
  }

  /// Logits behind a prompt with continuations: of the prompt's last position and all behind it, or of
  /// those among them that `reads` picks, given the last positions of the continuations counted from there.
  private func nextLogits(_ input: ModelInput, _ reads: ([Int]) -> [Int]?) throws -> Tensor {
    var ends: [Int] = []
    for branch in input.continuations { ends.append((ends.last ?? 0) + branch.count) }
    let behind = ends.last ?? 0
    let picked = reads(ends) ?? Array(0...behind)
    let run = try model.begin(input, remembering: false, tap: nil)
    return run.logits({ count in picked.map { count - 1 - behind + $0 } }, tap: nil)[0]
  }
}
