// Little noise that is made to have a model write one wrong word: projected gradient steps on the waveform
// (Madry et al., 2018), as SPIRIT's attack takes them, towards a benign text (`paper/definitions.md`, D162).

import Corpus
import Speech
import Tensor

/// A recording with noise that was made for it.
public struct TargetedNoise: Codable, Sendable {
  /// What is heard, in steps of 16 bits.
  public let samples: [Float]
  /// As loud noise of drawn signs, the control.
  public let drawn: [Float]
  /// Of how many steps it was made.
  public let steps: Int
}

extension SpeechModel {
  /// Makes noise under which the model writes another text.
  ///
  /// The slope is followed through the log-mel; a second encoder that hears something else is heard, but
  /// not followed.
  ///
  /// - Parameters:
  ///   - text: what is said
  ///   - target: what is to be written
  ///   - ratio: of active speech to the noise's largest power, in dB
  ///   - steps: the most; every fifth is tried, and it ends where the target is written
  ///   - momentum: the share of the direction that is carried on to the next step (SPIRIT's is 0.2); 0 follows
  ///     each slope by itself
  ///   - random: signs of the control
  /// - Throws: where the recording is silent, a word is unknown, the noise has no room or no step, or the
  ///   momentum is not below 1.
  public func targetedNoise(
    in wave: Waveform, saying text: String, towards target: String, ratio: Double, steps: Int,
    momentum: Double = 0, _ random: Random
  ) throws -> TargetedNoise {
    guard steps > 0 else {
      throw CellError("noise of \(steps) steps is none; give a number of steps above 0")
    }
    guard (0..<1).contains(momentum) else {
      throw CellError(
        "a momentum of \(momentum) forgets nothing or is no share; give one from 0 to below 1")
    }
    let end = endTokens.min()!
    let answers = try Answers(answer: textTokens(target) + [end], foil: textTokens(text) + [end])
    let clean = wave.samples.map(Double.init)
    guard let power = NoiseMix.activePower(clean) else {
      throw CellError("a silent recording has no ratio of speech to noise; take another")
    }
    let bound = (power / Elementary.exp(ratio / 10 * Elementary.log(10.0))).squareRoot()
    // Less than half a step of 16 bits is rounded away.
    guard bound.isFinite, bound * 32768 >= 0.5 else {
      throw CellError(
        "\(ratio) dB leave noise of \(bound) of full scale, which 16 bits do not hold; give a lower ratio "
          + "of speech to noise, or a louder recording")
    }
    func heard(_ noise: [Double]) -> [Float] {
      zip(clean, noise).map { sample, noise in
        let steps = ((sample + noise) * 32768).rounded(.toNearestOrEven)
        return Float(max(-32768, min(32767, steps)) / 32768)
      }
    }
    var noise = [Double](repeating: 0, count: clean.count)
    var direction = noise
    var taken = 0
    let wanted = try textTokens(target)
    for step in 1...steps {
      direction = direction.carriedOn(
        by: momentum, with: try slope(of: heard(noise), answers))
      for i in noise.indices where direction[i] != 0 {
        let moved = noise[i] + (direction[i] > 0 ? 1 : -1) * bound / 8
        noise[i] = max(-bound, min(bound, moved))
      }
      taken = step
      if step % 5 == 0,
        try transcript(input(hearing: Waveform(samples: heard(noise)))) == wanted
      {
        break
      }
    }
    var draws = random
    return TargetedNoise(
      samples: heard(noise),
      drawn: heard(noise.map { _ in draws.uniform() < 0.5 ? -bound : bound }), steps: taken)
  }

  /// How much more probable each sample makes the first answer than the other, by their tokens' mean
  /// log-probabilities.
  public func slope(of samples: [Float], _ answers: Answers) throws -> [Double] {
    let input = try input(hearing: Waveform(samples: samples))
    let mel = input.clip.mel.variable
    var followed = input
    followed.clip = Clip(
      mel: mel, validFrames: input.clip.validFrames, filterbank: input.clip.filterbank,
      samples: input.clip.samples)
    let question = Question(followed, answers)
    let run = try model.trace(question, keeping: [], recording: true)
    guard let record = run.record else { throw CellError("the run has no record") }
    let slope = record.logits.gradients(
      of: [mel], weights: try question.slope(of: .sequence, run.logits))
    return features.gradient(of: samples, slope: slope[0])
  }
}

extension [Double] {
  /// The direction of the next step: a share of the last one and the new slope over its mean size, as Dong
  /// et al. (2018) add them up; the slope itself where nothing is carried on.
  package func carriedOn(by momentum: Double, with slope: [Double]) -> [Double] {
    guard momentum > 0 else { return slope }
    let size = slope.reduce(0) { $0 + abs($1) } / Double(slope.count)
    return zip(self, slope).map { momentum * $0 + (size > 0 ? $1 / size : 0) }
  }
}
