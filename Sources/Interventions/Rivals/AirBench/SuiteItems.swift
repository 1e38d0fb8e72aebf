// The suite's own pairs as items of AIR-Bench's form: which word is said, of four that could be.

import Corpus
import JSON
import Tensor

/// An item made of a pair's clean member, and the recording of its control.
public struct SuiteItem: Sendable {
  public let pair: MinimalPair
  public let item: AirBenchItem
  /// A recording of the same voice and split that says none of the options.
  public let unrelated: Utterance
}

extension PairSuite {
  /// The pairs as questions after the word in which their members differ.
  ///
  /// Options are the pair's word, its foil, which differs in one phone, and two more words of the same
  /// slot, in an order of their own. Words that the recording says elsewhere are no options, so that only
  /// the right one can be heard.
  ///
  /// - Parameters:
  ///   - pairs: some of the suite's, of plain recordings, whose members say different words
  ///   - dataset: what the items call the suite
  ///   - random: a stream of the caller's, split by the pairs' names
  /// - Throws: where a pair is not of that kind, its slot has too few words, or no recording is unrelated;
  ///   the error names the pair.
  public func airBenchItems(
    of pairs: [MinimalPair], dataset: String = "spoken-minimal-pairs", _ random: Random
  ) throws -> [SuiteItem] {
    try pairs.map { pair in
      do { return try airBenchItem(pair, dataset, random.split(pair.id)) } catch {
        throw CellError("pair \(pair.id): \(error); leave the pair out")
      }
    }
  }

  private func airBenchItem(_ pair: MinimalPair, _ dataset: String, _ random: Random) throws
    -> SuiteItem
  {
    guard pair.factor.changesText, case .recording(let file, 0, 0) = pair.clean.sound else {
      throw CellError("is no plain recording whose words differ from the other member's")
    }
    guard let question = pair.spokenPrompt?.replacing(" One word.", with: "") else {
      throw CellError("the prompt \(quoted(pair.prompt)) asks for no word by its place")
    }
    guard let place = self.pairs.firstIndex(where: { $0.id == pair.id }) else {
      throw CellError("is not of this suite")
    }
    let said = words(pair.clean) + words(pair.corrupt) + [pair.answers.clean, pair.answers.corrupt]
    let inSlot = self.pairs.filter { $0.slot == pair.slot && $0.split == pair.split }
    let others = Set(inSlot.flatMap { [$0.answers.clean, $0.answers.corrupt] })
      .subtracting(said).sorted()
    guard others.count >= 2 else {
      throw CellError("its slot \(quoted(pair.slot)) has \(others.count) other words, not two")
    }
    let options = shuffled(
      [pair.answers.clean, pair.answers.corrupt]
        + shuffled(others, random.split("others")).prefix(2),
      random.split("order"))
    return SuiteItem(
      pair: pair,
      item: try AirBenchItem(
        // The published file's spelling of the task.
        id: "\(place)", task: "Speech_Entity_Reconition", dataset: dataset, path: file,
        question: question, options: options, answer: pair.answers.clean),
      unrelated: try unrelated(to: pair, without: options))
  }

  /// The next recording of the pair's voice, split and slot that says none of the words.
  private func unrelated(to pair: MinimalPair, without options: [String]) throws -> Utterance {
    let alike = pairs.filter {
      $0.voice == pair.voice && $0.split == pair.split && $0.slot == pair.slot
    }
    let own = alike.firstIndex { $0.id == pair.id } ?? 0
    let next = alike.indices.dropFirst().map { alike[(own + $0) % alike.count].clean }
    guard let found = next.first(where: { Set(words($0)).isDisjoint(with: options) }) else {
      throw CellError("every other recording of its voice and slot says one of its options")
    }
    return found
  }
}

private func words(_ utterance: Utterance) -> [String] {
  utterance.text.split(separator: " ").map(String.init)
}

/// Fisher and Yates's order.
private func shuffled(_ texts: [String], _ random: Random) -> [String] {
  var (texts, random) = (texts, random)
  for i in texts.indices.dropFirst() { texts.swapAt(i, random.below(i + 1)) }
  return texts
}
