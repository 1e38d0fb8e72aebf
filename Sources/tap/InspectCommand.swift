// `tap inspect`: what a checkpoint folder holds.

import ArgumentParser
import Foundation
import JSON
import Speech

struct Inspect: ParsableCommand {
  static let configuration = CommandConfiguration(
    abstract: "Architecture, stages, sites, parameters, memory, and what is missing.",
    discussion: """
      Works on a folder that is not complete, and says what it lacks; ends with status 1 then.

        tap inspect --model artifacts/qwen2-audio-small --sites
      """)

  @Option(help: "The checkpoint folder.") var model: String
  @OptionGroup var strict: StrictOption
  @Flag(help: "List every site.") var sites = false
  @Flag(help: "Print JSON.") var json = false

  func run() throws {
    let config = try openConfig(folder: model)
    let parameters = config.parameterShapes.values.reduce(0) { $0 + $1.reduce(1, *) }
    var problems: [String] = []
    var audit: Checkpoint.Audit?
    do {
      let checkpoint = try Checkpoint(folder: model)
      audit = checkpoint.audit(config)
    } catch { problems.append("\(error)") }
    var opened: (sites: [Site], unexpected: [String])?
    if audit != nil {
      do { opened = try open(config) } catch { problems.append("\(error)") }
    }
    if let opened {
      // Kyutai's fused files have other names, which only opening them can judge.
      audit?.missing = []
      audit?.misshapen = []
      audit?.unexpected = opened.unexpected
      do { try checkUse(of: model, opened.unexpected, strict) } catch {
        problems.append("\(error)")
      }
    }
    let absent = expectedFiles(config).filter { !holds($0) }
    if json {
      printJSON(config, parameters, audit, opened?.sites, absent, problems)
    } else {
      printText(config, parameters, audit, opened?.sites, absent)
    }
    for problem in problems { warn(problem) }
    if opened == nil || !problems.isEmpty { throw ExitCode(1) }
  }

  /// The sites of the model, and the tensors that it has no use for.
  private func open(_ config: any ModelConfig) throws -> (sites: [Site], unexpected: [String]) {
    if config is Qwen2Config {
      let model = try TextModel(folder: model)
      return (model.sites, model.unexpected)
    }
    let opened = try OpenedFolder(model)
    return (opened.model.sites, opened.unexpected)
  }

  /// The files that a folder should have beside its weights.
  private func expectedFiles(_ config: any ModelConfig) -> [String] {
    // Of a Whisper for CTranslate2 config.json and tokenizer say the rest; parts have their own tokenizer.
    if config is WhisperConfig, !holds("generation_config.json"), holds("model.bin") {
      return ["tokenizer.json"]
    }
    guard config is Qwen2Config else {
      return (holds("parts.json") ? [] : ["tokenizer.json"])
        + ["preprocessor_config.json", "generation_config.json"]
    }
    // A GGUF file holds everything.
    return holds("config.json") ? ["tokenizer.json", "generation_config.json"] : []
  }

  private func holds(_ file: String) -> Bool {
    FileManager.default.fileExists(atPath: "\(model)/\(file)")
  }

  private func printText(
    _ config: any ModelConfig, _ parameters: Int, _ audit: Checkpoint.Audit?,
    _ modelSites: [Site]?, _ absent: [String]
  ) {
    func line(_ name: String, _ value: String) {
      print(name.padding(toLength: 14, withPad: " ", startingAt: 0) + value)
    }
    line("architecture", config.architecture)
    line("parameters", "\(parameters)")
    if let audit {
      let types = audit.types.map { "\($0.count) of \($0.type)" }.joined(separator: ", ")
      line("weights", "\(size(audit.bytes)) in memory (\(types))")
      line("", "\(size(config.cacheBytes)) more for each position of the text")
    }
    print("\nstage         positions  ms each  ")
    for stage in config.stages {
      let positions = stage.positions.map(String.init) ?? "-"
      let step = stage.milliseconds.map { String(format: "%.4g", $0) } ?? "-"
      print(
        stage.name.padding(toLength: 13, withPad: " ", startingAt: 0)
          + String(repeating: " ", count: max(0, 10 - positions.count)) + positions
          + String(repeating: " ", count: max(0, 9 - step.count)) + step + "  " + stage.note)
    }
    if let modelSites {
      print("\n\(modelSites.count) sites\(sites ? "" : ", by stage (--sites lists them)")")
      if sites {
        for site in modelSites { print("  \(site)") }
      } else {
        for (stage, names) in byStage(modelSites) {
          print("  \(stage): \(names.joined(separator: " "))")
        }
      }
    }
    print()
    if let audit { print(audit) }
    if !absent.isEmpty { print("not in the folder: \(absent.joined(separator: ", "))") }
  }

  /// Each stage with its layers, and the activations of one of them.
  private func byStage(_ sites: [Site]) -> [(String, [String])] {
    var order: [String] = []
    var names: [String: [String]] = [:]
    var layers: [String: Int] = [:]
    for site in sites {
      let key = site.layer == nil ? site.stage.rawValue : "\(site.stage.rawValue).i"
      if names[key] == nil { order.append(key) }
      if !(names[key] ?? []).contains(site.activation.rawValue) {
        names[key, default: []].append(site.activation.rawValue)
      }
      if let layer = site.layer { layers[key] = max(layers[key] ?? 0, layer) }
    }
    return order.map { key in
      (layers[key].map { "\(key) (i = 0 to \($0))" } ?? key, names[key] ?? [])
    }
  }

  private func printJSON(
    _ config: any ModelConfig, _ parameters: Int, _ audit: Checkpoint.Audit?,
    _ modelSites: [Site]?, _ absent: [String], _ problems: [String]
  ) {
    var members: [String: JSON] = [
      "architecture": .string(config.architecture), "parameters": .integer(parameters),
      "cache_bytes_per_position": .integer(config.cacheBytes),
      "stages": .array(
        config.stages.map { stage in
          .object([
            "name": .string(stage.name), "note": .string(stage.note),
            "positions": stage.positions.map { .integer($0) } ?? .null,
            "milliseconds": stage.milliseconds.map { .number($0) } ?? .null,
          ])
        }),
      "absent_files": .array(absent.map { .string($0) }),
      "problems": .array(problems.map { .string($0) }),
      "opens": .bool(modelSites != nil),
    ]
    if let audit {
      members["weight_bytes"] = .integer(audit.bytes)
      members["missing"] = .array(audit.missing.map { .string($0) })
      members["unexpected"] = .array(audit.unexpected.map { .string($0) })
      members["misshapen"] = .array(audit.misshapen.map { .string($0.name) })
    }
    if let modelSites { members["sites"] = .array(modelSites.map { .string("\($0)") }) }
    print(JSON.object(members).text)
  }

  private func size(_ bytes: Int) -> String {
    bytes >= 1 << 30
      ? String(format: "%.2f GiB", Double(bytes) / 0x1p30)
      : bytes >= 1 << 20
        ? String(format: "%.2f MiB", Double(bytes) / 0x1p20) : "\(bytes) bytes"
  }
}
