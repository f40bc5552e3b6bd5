/*
 * What Rust needs of Intel's IPsec Multi-Buffer library: its interface is macros over a table of function pointers whose
 * layout changes between versions, so it is used from C, against the header of the version that is linked.
 *
 * The GCM functions called here use the manager for nothing but the table; state is in the key and in the context on the
 * stack, so they may be called from many threads.
 */
#include <intel-ipsec-mb.h>

#include <stddef.h>
#include <stdint.h>

/* The library's own widest set of instructions for GCM; below it AWS-LC is as fast. */
#define WANTED (IMB_FEATURE_AVX512_SKX | IMB_FEATURE_VAES | IMB_FEATURE_VPCLMULQDQ)

_Static_assert(_Alignof(struct gcm_key_data) <= 64, "Rust aligns keys to 64 octets");

/* A manager for this processor; NULL when the library does not have fast code for it. */
IMB_MGR *twinbore_ipsecmb_manager(void)
{
	IMB_MGR *manager = alloc_mb_mgr(0);

	if (manager == NULL)
		return NULL;
	init_mb_mgr_auto(manager, NULL);
	if ((manager->features & WANTED) != WANTED) {
		free_mb_mgr(manager);
		return NULL;
	}
	return manager;
}

const char *twinbore_ipsecmb_version(void)
{
	return imb_get_version_str();
}

size_t twinbore_ipsecmb_key_size(void)
{
	return sizeof(struct gcm_key_data);
}

/* Expands a key of 16, 24 or 32 octets; 0 for another length. */
int twinbore_ipsecmb_expand(IMB_MGR *manager, const uint8_t *key, size_t len, void *expanded)
{
	switch (len) {
	case 16:
		IMB_AES128_GCM_PRE(manager, key, expanded);
		return 1;
	case 24:
		IMB_AES192_GCM_PRE(manager, key, expanded);
		return 1;
	case 32:
		IMB_AES256_GCM_PRE(manager, key, expanded);
		return 1;
	default:
		return 0;
	}
}

/* `key_len` as above; in and out may be the same. */
void twinbore_ipsecmb_seal(IMB_MGR *manager, size_t key_len, const void *expanded, const uint8_t nonce[12],
			   const uint8_t *aad, size_t aad_len, const uint8_t *in, uint8_t *out, size_t len,
			   uint8_t *tag, size_t tag_len)
{
	struct gcm_context_data context;

	switch (key_len) {
	case 16:
		IMB_AES128_GCM_ENC(manager, expanded, &context, out, in, len, nonce, aad, aad_len, tag, tag_len);
		break;
	case 24:
		IMB_AES192_GCM_ENC(manager, expanded, &context, out, in, len, nonce, aad, aad_len, tag, tag_len);
		break;
	default:
		IMB_AES256_GCM_ENC(manager, expanded, &context, out, in, len, nonce, aad, aad_len, tag, tag_len);
	}
}

/* As above; writes the tag that the text should have, which the caller compares. */
void twinbore_ipsecmb_open(IMB_MGR *manager, size_t key_len, const void *expanded, const uint8_t nonce[12],
			   const uint8_t *aad, size_t aad_len, const uint8_t *in, uint8_t *out, size_t len,
			   uint8_t *tag, size_t tag_len)
{
	struct gcm_context_data context;

	switch (key_len) {
	case 16:
		IMB_AES128_GCM_DEC(manager, expanded, &context, out, in, len, nonce, aad, aad_len, tag, tag_len);
		break;
	case 24:
		IMB_AES192_GCM_DEC(manager, expanded, &context, out, in, len, nonce, aad, aad_len, tag, tag_len);
		break;
	default:
		IMB_AES256_GCM_DEC(manager, expanded, &context, out, in, len, nonce, aad, aad_len, tag, tag_len);
	}
}
