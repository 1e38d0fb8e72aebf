// The controls of time of a pair (`interpretability-methods.md` B.14): the base run's own recording,
// later, whose effect should be none, and boundaries that are moved a little, which should matter
// little.

import Interventions
import Speech
import Tensor

extension OpenedModel {
  /// The same recording so many milliseconds later, behind digital silence.
  ///
  /// - Parameter name: the recording's, for errors
  func question(
    _ wave: Waveform, delayedBy milliseconds: Double, of name: String, prompt: [Int],
    answers: Answers
  ) throws -> Question {
    let silence = Int((milliseconds * Double(wave.rate) / 1000).rounded())
    let late = Waveform(
      samples: [Float](repeating: 0, count: silence) + wave.samples, rate: wave.rate)
    guard late.duration <= model.longestClip else {
      throw CellError(
        "\(name): lasts \(formatted(wave.duration)) s; so long a recording and a shift of "
          + "\(formatted(milliseconds)) ms are more than the \(formatted(model.longestClip)) s that the "
          + "model takes; give a smaller shift or a shorter recording")
    }
    return try question(late, of: name, prompt: prompt, answers: answers)
  }
}

extension OpenedPair {
  /// The base run's sound so many milliseconds later, with the same question.
  func delayed(_ direction: Direction, by milliseconds: Double, _ opened: OpenedModel) throws
    -> Question
  {
    do {
      let name = direction == .necessity || corruption != .paired ? pair.clean : pair.corrupt
      let heard = try Waveform(contentsOf: name)
      let base =
        direction == .necessity ? heard : try corruption.sound(of: heard, pair: pair.id) ?? heard
      return try opened.question(
        base, delayedBy: milliseconds, of: name, prompt: opened.tokens(ofPrompt: pair.prompt),
        answers: clean.answers)
    } catch { throw CellError("pair \(pair.id): \(error)") }
  }

  /// The pair's alignment with its boundaries moved; that of its segments where positions are joined
  /// by number. Nil where there are no boundaries.
  func jittered(_ direction: Direction, by milliseconds: Double) throws -> Alignment? {
    try alignment(direction).withBoundaries(
      of: segments(direction), base: base(direction).clip, source: source(direction).clip
    )?.jittered(
      by: milliseconds, Random(seed: 1).split("jitter").split(pair.id).split(direction.rawValue))
  }
}

extension Alignment {
  /// This alignment where it has inner boundaries, else that of the segments; nil where those are not
  /// known either.
  func withBoundaries(
    of segments: (base: [Segment], source: [Segment])?, base: Clip, source: Clip
  ) throws -> Alignment? {
    let joined =
      anchors.count > 2 || segments == nil
      ? self
      : try AlignmentChoice.segments.alignment(base: base, source: source, segments: segments)
    return joined.anchors.count > 2 ? joined : nil
  }
}
