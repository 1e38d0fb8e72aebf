// `reproduce full-size DIR`: opens a folder of published size and reports memory, time and speed.

import ArgumentParser
import Corpus
import Foundation
import Interventions
import Notebook
import Speech
import Tensor

struct FullSize: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract:
      "Opens a large checkpoint; one forward and one attribution pass, with memory and time.",
    discussion: """
      Tests/Peers/write_full_size.py writes a folder of the size of Qwen2-Audio-7B with random \
      weights. The clip is five seconds of the evaluation suite; attribution goes over every residual \
      site, towards the same clip played backwards.
      """)

  @Argument(help: "The checkpoint folder.") var folder: String
  @Option(help: "Seconds of sound.") var seconds = 5.0

  func run() throws {
    let rate = productRate()
    report("this machine", String(format: "%.1f GFLOP/s on two threads of sgemm", rate / 1e9))
    let (model, opening) = try timed { try AudioLanguageModel(folder: folder) }
    let parameters = model.config.parameterShapes.values.reduce(0) { $0 + $1.reduce(1, *) }
    report("parameters", "\(parameters)")
    report("opened and checked", String(format: "%.1f s, %.2f GiB resident", opening, resident()))

    let wave = try sound()
    let clip = try model.clip(wave)
    let backwards = try model.clip(Waveform(samples: wave.samples.reversed()))
    let placeholder = model.config.sound.placeholder
    let count = model.config.sound.audioTokens(melFrames: clip.validFrames)
    let tokens = [1] + [Int](repeating: placeholder, count: count) + [2, 3, 4]
    let (base, forward) = try timed {
      try model.trace(Interventions.Question(clip: clip, tokens: tokens, answer: 5, foil: 6))
    }
    let operations = products(model, positions: 2 * count, tokens: tokens.count)
    report("clip", "\(wave.duration) s, \(count) audio tokens, \(tokens.count) positions")
    report(
      "forward",
      String(
        format: "%.1f s, %.2f TFLOP in linear maps: %.1f GFLOP/s overall, %.0f %% of sgemm",
        forward, operations / 1e12, operations / forward / 1e9,
        100 * operations / forward / rate))
    let (source, again) = try timed {
      try model.trace(Interventions.Question(clip: backwards, tokens: tokens, answer: 5, foil: 6))
    }
    let sites = model.residualSites
    let cells = sites.map { Cell($0) }
    let (effects, reverse) = try timed {
      try model.attribution(of: source, into: base, cells: cells)
    }
    report(
      "attribution",
      String(
        format: "%.1f s for the source run, %.1f s for the reverse pass, %d residual sites", again,
        reverse, effects.count))
    guard effects.allSatisfy({ $0?.isFinite ?? false }) else {
      throw CheckpointError("\(folder): attribution is not finite")
    }
    report("largest resident size", String(format: "%.2f GiB", peak()))
  }

  private func report(_ name: String, _ value: String) {
    print(name.padding(toLength: 24, withPad: " ", startingAt: 0) + value)
  }

  /// Multiplications and additions of the linear maps that a forward pass cannot do without.
  private func products(_ model: AudioLanguageModel, positions: Int, tokens: Int) -> Double {
    let (config, lm) = (model.config, model.config.lm)
    var sum = 0.0
    for (name, shape) in config.parameterShapes where shape.count == 2 {
      let size = 2 * Double(shape[0] * shape[1])
      if name.hasPrefix(config.encoderPrefix) {
        sum += name.contains("embed_positions") ? 0 : size * Double(positions)
      } else if name.hasPrefix(config.lmPrefix), name.contains("layers.") {
        sum += size * Double(tokens)
      }
    }
    return sum + 2 * Double(lm.vocabulary * lm.width)
  }

  /// Recordings of the suite one behind the other.
  private func sound() throws -> Waveform {
    let repository = try Repository()
    let suite = try PairSuite(manifest: repository.url("data-manifests/evaluation.json").path)
    let wanted = Int(seconds * Double(LogMel.rate))
    var samples: [Float] = []
    for pair in suite.pairs where samples.count < wanted {
      samples += try Waveform(contentsOf: repository.url(pair.clean.file).path).samples
    }
    return Waveform(samples: Array(samples.prefix(wanted)))
  }

  private func timed<T>(_ body: () throws -> T) rethrows -> (T, Double) {
    let start = DispatchTime.now().uptimeNanoseconds
    let value = try body()
    return (value, Double(DispatchTime.now().uptimeNanoseconds - start) / 1e9)
  }

  private func resident() -> Double { FullSize.status("VmRSS:") }
  private func peak() -> Double { FullSize.status("VmHWM:") }

  /// A line of /proc/self/status, in GiB.
  static func status(_ key: String) -> Double {
    let text = (try? String(contentsOfFile: "/proc/self/status", encoding: .utf8)) ?? ""
    let line = text.split(separator: "\n").first { $0.hasPrefix(key) }
    return (line?.split { $0 == " " || $0 == "\t" }.compactMap { Double($0) }.first ?? 0)
      / 1_048_576
  }
}
