// swift-tools-version: 6.1
import Foundation
import PackageDescription

/// A C library of the system: a module map and a header, nothing else.
func system(_ name: String, _ pkgConfig: String?, apt package: String) -> Target {
  .systemLibrary(name: name, pkgConfig: pkgConfig, providers: [.apt([package])])
}

/// One executable a file of Sources/Experiments, and of its folder Rivals.
let experiments = [
  "method-on-one-pair", "e1-causal-map", "maps-by-model", "search-methods", "e1-across-models",
  "causal-transfer", "sanity-checks", "published-whisper", "published-hallucination",
  "published-speech-lm", "published-subspace", "published-transfer", "published-sanity",
  "e3-hallucination", "e3-noise", "ablations-of-the-map", "ablations-of-the-part",
  "ablation-of-the-seed", "data-efficiency", "e3-wrong-word", "e3-noise-published",
  "coarse-to-fine",
]
let rivals = [
  "rivals-tracing", "rivals-circuits", "rivals-features", "rivals-published", "rivals-whisper",
  "rivals-paths", "rivals-spirit", "rivals-hallucination", "rivals-probes",
]

/// Every x86-64 machine that the determinism contract covers has AVX2 and FMA. SwiftPM takes no such
/// flags from a package that another depends on by version, so that its checkout is built without them;
/// the other package gives them on its command line, as README says. Only there does SwiftPM's record of a
/// workspace lie two folders up.
let isCheckout = FileManager.default.fileExists(
  atPath: Context.packageDirectory + "/../../workspace-state.json")
let vector: [SwiftSetting] =
  isCheckout ? [] : [.unsafeFlags(["-Xcc", "-mavx2", "-Xcc", "-mfma"])]
let testable: [SwiftSetting] = isCheckout ? [] : [.unsafeFlags(["-enable-testing"])]

/// What other packages import.
let libraries = ["Interventions", "Speech", "Corpus", "Plot", "Notebook"]

/// What gives memory to everything in our own programs, C's libraries too, is in Notebook/Memory.swift.
let watchedMemory: [LinkerSetting] =
  isCheckout
  ? []
  : [
    .unsafeFlags(
      ["malloc", "calloc", "realloc", "aligned_alloc", "posix_memalign"].flatMap {
        ["-Xlinker", "--defsym=\($0)=watched_\($0)"]
      })
  ]

/// Programs of one file each that share a folder.
func executables(_ names: [String], in folder: String, beside others: [String] = []) -> [Target] {
  names.map { name in
    .executableTarget(
      name: name, dependencies: ["Figures", "Interventions", "Corpus", "Plot", "Notebook"],
      path: folder, exclude: names.filter { $0 != name }.map { "\($0).swift" } + others,
      swiftSettings: vector, linkerSettings: watchedMemory)
  }
}

let package = Package(
  name: "temporal-attribution-patching",
  products: libraries.map { .library(name: $0, targets: [$0]) },
  dependencies: [
    .package(url: "https://github.com/apple/swift-argument-parser", exact: "1.8.2")
  ]
    // `make docs` alone takes this.
    + (Context.environment["TAP_DOCS"] == nil
      ? [] : [.package(url: "https://github.com/swiftlang/swift-docc-plugin", exact: "1.5.0")]),
  targets: [
    system("COpenBLAS", "openblas", apt: "libopenblas-dev"),
    system("CSndFile", "sndfile", apt: "libsndfile1-dev"),
    system("CSoxr", "soxr", apt: "libsoxr-dev"),
    system("CSpeexDSP", "speexdsp", apt: "libspeexdsp-dev"),
    system("CCairo", "cairo", apt: "libcairo2-dev"),
    system("CJSON", "json-c", apt: "libjson-c-dev"),
    system("CCrypto", "libcrypto", apt: "libssl-dev"),
    system("CFlite", nil, apt: "flite1-dev"),
    .target(name: "JSON", dependencies: ["CJSON"]),
    .target(name: "Tensor", dependencies: ["COpenBLAS"], swiftSettings: vector),
    .target(
      name: "Speech",
      dependencies: ["Tensor", "JSON", "Notebook", "CSndFile", "CSoxr", "CSpeexDSP"],
      swiftSettings: vector),
    .target(name: "Corpus", dependencies: ["Tensor", "Speech", "JSON"], swiftSettings: vector),
    .target(
      name: "Interventions", dependencies: ["Tensor", "Speech", "Corpus", "Notebook"],
      swiftSettings: vector),
    .target(name: "Plot", dependencies: ["CCairo"], resources: [.copy("Fonts")]),
    .target(
      name: "Notebook", dependencies: ["JSON", "CCrypto"],
      resources: ["explorer.html", "explorer.css", "state.js", "drawing.js", "controls.js"].map {
        .embedInCode("Explorer/\($0)")
      }),
    .target(name: "Figures", dependencies: ["Interventions", "Plot", "Notebook"]),
    .executableTarget(
      name: "reproduce",
      dependencies: [
        "CFlite", "Speech", "Corpus", "Interventions", "Notebook", "JSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      // Its tests look inside, also in release mode.
      swiftSettings: vector + testable, linkerSettings: watchedMemory),
    .executableTarget(
      name: "tap",
      dependencies: [
        "Speech", "Corpus", "Interventions", "Figures", "Notebook", "JSON",
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ],
      swiftSettings: vector, linkerSettings: watchedMemory),
    .testTarget(name: "TensorTests", dependencies: ["Tensor"]),
    // Every reader of files as libFuzzer and the tests call it.
    .target(
      name: "FuzzReaders", dependencies: ["Speech", "Tensor", "JSON"], path: "Tests/Fuzz/Readers"),
    .testTarget(
      name: "SpeechTests",
      dependencies: ["Speech", "Interventions", "Notebook", "Tensor", "JSON", "FuzzReaders"],
      resources: [.copy("Fixtures")]),
    .testTarget(
      name: "CorpusTests", dependencies: ["Corpus", "Speech", "Tensor", "Notebook"]),
    .testTarget(
      name: "InterventionsTests",
      dependencies: ["Interventions", "Corpus", "Speech", "Tensor", "JSON", "Notebook"],
      resources: [.copy("Fixtures")]),
    .testTarget(name: "PlotTests", dependencies: ["Plot"]),
    .testTarget(
      name: "FiguresTests",
      dependencies: ["Figures", "Interventions", "Speech", "Plot", "Notebook"]),
    .testTarget(name: "NotebookTests", dependencies: ["Notebook", "JSON"]),
    .testTarget(
      name: "ReproduceTests",
      dependencies: [
        "reproduce", "Speech", "Corpus", "Interventions", "Notebook", "JSON", "Tensor",
      ]),
    .testTarget(name: "TapTests", dependencies: ["tap", "Speech", "JSON"]),
  ]
    + executables(experiments, in: "Sources/Experiments", beside: ["Rivals"])
    + executables(rivals, in: "Sources/Experiments/Rivals")
    // `make fuzz` alone builds this: it needs the libFuzzer that comes with the compiler.
    + (Context.environment["TAP_FUZZ"] == nil
      ? []
      : [
        .executableTarget(name: "fuzz", dependencies: ["FuzzReaders"], path: "Tests/Fuzz/Main")
      ])
)
