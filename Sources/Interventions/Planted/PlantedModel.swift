// A model whose bottleneck is known by construction: what any search for one has to find.
//
// It is a Qwen2-Audio model of which nothing was trained. Which of a few bands of the sound carries
// energy, long before a certain window of time, is the content. Behind layer L one attention head
// gathers it, at the positions of that window alone, into a subspace of k dimensions; in the next
// layer another head reads it there from the position of the answer. Everything else is drawn at
// random, so that the plant stands in the noise of a working network:
//
//     sound, spread over 4 to 7 windows  --layer L-->  one window, k dimensions  --layer L + 1-->  answer
//
// Before layer L every window carries its share of the content, none of them half of it; behind
// layer L + 1 the answer's position has it all. One cell of sound is sufficient and necessary
// (`paper/definitions.md`, D86).

import Speech
import Tensor

/// What is planted, and where.
public struct Plant: Sendable, Codable, Equatable {
  public enum Kind: String, Sendable, Codable, CaseIterable {
    case bottleneck
    /// The answer's position reads the sound itself, from all windows that carry it: the same
    /// answers without a bottleneck.
    case diffuse
    /// Nothing is written, so that the answer does not depend on the sound.
    case removed
  }

  public let kind: Kind
  /// The layer of the language model behind which the content is in one window.
  public let layer: Int
  /// Index of that window among the model's windows of time.
  public let window: Int
  /// The dimension of the subspace that it is in.
  public let rank: Int
  public let seed: UInt64

  /// A plant drawn at random; the three kinds of one seed share everything else.
  public init(_ kind: Kind, seed: UInt64) {
    var random = Random(seed: seed).split("plant")
    self.kind = kind
    layer = 1 + random.below(3)
    window = 4 + random.below(4)
    rank = 2 + random.below(3)
    self.seed = seed
  }
}

/// A model with a plant, and what it can be asked.
public struct PlantedModel: Sendable {
  public let plant: Plant
  public let model: AudioLanguageModel
  /// The model's parameters, by their published names.
  public let parameters: Parameters
  /// An orthonormal basis of the subspace that the content is written to.
  public let subspace: Subspace
  /// Equal windows that hold all of the sound.
  public let windows: [Window] = (0..<PlantedModel.windowCount).map {
    .milliseconds(PlantedModel.windowWidth * Double($0), PlantedModel.windowWidth * Double($0 + 1))
  }

  static let windowCount = 8
  /// Three audio tokens of 40 ms.
  static let windowWidth = 120.0
  static let frames = 96

  /// The cell that is planted.
  public var cell: Cell {
    Cell(Site(.lm, plant.layer, .residPost), windows[plant.window])
  }

  /// The residual sites from sound to text, without the language model's input, whose audio
  /// rows are the connector's.
  public var sites: [Site] { model.mapSites }

  /// How many contents there are: a simplex, whose differences have one dimension less.
  var contents: Int { plant.rank + 1 }

  public init(_ plant: Plant) {
    self.plant = plant
    let weights = PlantedWeights(plant)
    parameters = weights.parameters
    model = AudioLanguageModel(PlantedWeights.config, parameters)
    subspace = Subspace(orthonormal: weights.written)
  }

  /// Pairs that differ in their content alone, of so many voices, each a group: the source of the
  /// contrast hears a third content in the same voice.
  ///
  /// - Parameters:
  ///   - split: names the voices, so that no two splits share one
  ///   - voices: how many groups there are
  ///   - each: pairs of every voice
  public func pairs(_ split: String, voices: Int, each: Int = 2) -> [ContrastPair] {
    (0..<voices).flatMap { voice -> [ContrastPair] in
      let group = "\(split) voice \(voice)"
      let random = Random(seed: plant.seed).split(group)
      var draw = random.split("contents")
      return (0..<each).map { index in
        let order = draw.permutation(contents)
        let (clean, corrupt, stranger) = (order[0], order[1], order[2])
        func question(_ content: Int) -> Question {
          Question(
            clip: clip(content, random.split(index)),
            tokens: PlantedWeights.tokens, answer: PlantedWeights.answer(clean),
            foil: PlantedWeights.answer(corrupt))
        }
        return ContrastPair(
          id: "\(group), pair \(index)", group: group, clean: question(clean),
          corrupt: question(corrupt), stranger: question(stranger))
      }
    }
  }

  /// The log-mel features of a content: one band carries energy from the start of the sound to the
  /// planted window, over noise that is the voice's, and a little that is the recording's own.
  private func clip(_ content: Int, _ voice: Random) -> Clip {
    let bands = PlantedWeights.config.melBands
    let rows = 2 * PlantedWeights.config.maxSourcePositions
    var noise = voice.split("noise")
    var own = voice.split("recording \(content)")
    let loudness = 1 + 0.1 * noise.normal()
    let end = plant.window * PlantedModel.frames / PlantedModel.windowCount
    var numbers = [Float](repeating: 0, count: rows * bands)
    for frame in 0..<PlantedModel.frames {
      for band in 0..<bands {
        let background = 0.1 * noise.normal() + 0.03 * own.normal()
        let energy = band == content && frame < end ? loudness : 0
        numbers[frame * bands + band] = Float(energy + background)
      }
    }
    return Clip(mel: Tensor([rows, bands], numbers), validFrames: PlantedModel.frames)
  }
}
