/**
 * The published test vector of our pattern and primitives: from `vectors/cacophony.txt` of
 * https://github.com/haskell-cryptography/cacophony (John Galt), which is in the public domain (Unlicense).
 * The first three messages are the handshake's, the others go both ways in turn after it.
 */

export const VECTOR = {
  protocol_name: "Noise_XXpsk3_25519_ChaChaPoly_SHA256",
  init_prologue: "4a6f686e2047616c74",
  init_psks: ["54686973206973206d7920417573747269616e20706572737065637469766521"],
  init_static: "e61ef9919cde45dd5f82166404bd08e38bceb5dfdfded0a34c8df7ed542214d1",
  init_ephemeral: "893e28b9dc6ca8d611ab664754b8ceb7bac5117349a4439a6b0569da977c464a",
  resp_prologue: "4a6f686e2047616c74",
  resp_psks: ["54686973206973206d7920417573747269616e20706572737065637469766521"],
  resp_static: "4a3acbfdb163dec651dfa3194dece676d437029c62a408b4c5ea9114246e4893",
  resp_ephemeral: "bbdb4cdbd309f1a1f2e1456967fe288cadd6f712d65dc7b7793d5e63da6b375b",
  handshake_hash: "a477edf6a131bbdb54707f6ea30eab6cd935d9b560f0e5fd1f053a95a99669fb",
  messages: [
    {
      payload: "4c756477696720766f6e204d69736573",
      ciphertext:
        "ca35def5ae56cec33dc2036731ab14896bc4c75dbb07a61f879f8e3afa4c7944c9f5ff0e8079630cb7e270c20bbf480821b77a384a645c71a2fd9b3db1c16a5f",
    },
    {
      payload: "4d757272617920526f746862617264",
      ciphertext:
        "95ebc60d2b1fa672c1f46a8aa265ef51bfe38e7ccb39ec5be34069f144808843b123def17f71e6ae8e57e0e1dec5949c5f7415c6f33517398747d821a06dc23ad430aa1fd7381d46195c378a819fd574425462cbb2d4ca339e738a0b7001dc91423fbf55a99af0c6f1df21012ceb2f",
    },
    {
      payload: "462e20412e20486179656b",
      ciphertext:
        "52187316111b118d4c060364f7b975dc0809b2590779aff2d63113c564f11744493384db7bf32d5ae6686df6ab06d508d2e07caaf1d6afc010b978735fc78900e71ae1d314130d042e729a",
    },
    {
      payload: "4361726c204d656e676572",
      ciphertext: "eaedc672d4c21e0e2955758756fb98f194c4e90d5deb5b6cf30b27",
    },
    {
      payload: "4a65616e2d426170746973746520536179",
      ciphertext: "522d543c5fe799d09a3d9da7ff54d0dc03c8af1dc7751d2ff708339d2290943e98",
    },
    {
      payload: "457567656e2042f6686d20766f6e2042617765726b",
      ciphertext: "7d4e2c3873eef6a213b04e72f9df60a91666072d3544c5d96c34a09e2329b5030bee796741",
    },
  ],
} as const;
